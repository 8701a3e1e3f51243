package org.potstill.student;

import java.nio.file.Path;
import java.util.List;
import org.potstill.checkpoints.CausalLmConfig;

/** A Deeplearning4j causal decoder, Llama-shaped with tied embeddings. Not safe for use by several threads at once. */
public final class Student implements AutoCloseable {
    private Student() {
        throw new UnsupportedOperationException("not written yet");
    }

    /** A student with random weights: the same for the same configuration and seed. */
    public static Student create(CausalLmConfig config, TrainingOptions options, long seed) {
        throw new UnsupportedOperationException("not written yet");
    }

    /** Reads {@code config.json} and {@code model.safetensors} of a folder that {@link #save} wrote. */
    public static Student load(Path folder, TrainingOptions options) {
        throw new UnsupportedOperationException("not written yet");
    }

    /** Writes {@code config.json} and {@code model.safetensors} as Hugging Face spells them. */
    public void save(Path folder) {
        throw new UnsupportedOperationException("not written yet");
    }

    public static void setThreads(int threads) {
    }

    public CausalLmConfig config() {
        throw new UnsupportedOperationException("not written yet");
    }

    /**
     * One optimizer step on one batch.
     *
     * @param step number of this step from 0, which sets the learning rate
     */
    public StepLoss step(List<TrainingSequence> batch, int step) {
        throw new UnsupportedOperationException("not written yet");
    }

    /** The losses of a batch, nothing learnt. */
    public StepLoss loss(List<TrainingSequence> batch) {
        throw new UnsupportedOperationException("not written yet");
    }

    /** Full logits of one sequence, row-major {@code [ids.length, vocabSize]}. */
    public float[] logits(int[] ids) {
        throw new UnsupportedOperationException("not written yet");
    }

    /** All parameters in one array, the unit of averaging; a copy. */
    public float[] parameters() {
        throw new UnsupportedOperationException("not written yet");
    }

    public void setParameters(float[] parameters) {
        throw new UnsupportedOperationException("not written yet");
    }

    /** Adam's moments in one array (empty for SGD); a copy. */
    public float[] updaterState() {
        throw new UnsupportedOperationException("not written yet");
    }

    public void setUpdaterState(float[] state) {
        throw new UnsupportedOperationException("not written yet");
    }

    @Override
    public void close() {
    }
}
