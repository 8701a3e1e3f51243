package org.potstill.checkpoints;

import java.nio.file.Path;
import java.util.Map;

/**
 * A causal language model on disk, whatever its format: what a teacher is made of and what is told of it. Safe for use
 * by several threads; closing it closes the files.
 */
public interface CausalLm extends AutoCloseable {
    /**
     * Opens a model: a ready-made ONNX graph where the file's name ends in {@code .onnx} or the folder holds
     * one, such as {@code model.onnx}, and no safetensors, and otherwise a {@link Checkpoint}.
     *
     * @throws org.potstill.errors.UserException if the model cannot be read or used
     */
    static CausalLm open(Path path) {
        return OnnxCausalLm.find(path).<CausalLm>map(OnnxCausalLm::open).orElseGet(() -> Checkpoints.open(path));
    }

    int vocabSize();

    int maxPositionEmbeddings();

    /** How many weights the model has. */
    long parameters();

    /** Bytes of the files that the weights are stored in. */
    long storedBytes();

    /** The number format that most of the stored weights are in, such as {@code Q4_1} or {@code F32}; empty where it is not known. */
    default String storedPrecision() {
        return "";
    }

    /** The content of a {@code tokenizer.json} that tokenizes as this model's tokenizer does. */
    TokenizerDefinition tokenizer();

    /** SHA-256, in hex, of all that decides what the model computes: a file, or a folder's weights and configuration. */
    String fingerprint();

    /** Fails where the model cannot be run in these numbers, before any work is done. */
    default void requirePrecision(Precision precision) {
    }

    /**
     * Runs a graph that ends in {@link LlamaGraph.Ending#CHANNEL_MAXIMA} on some text that the model is at home in.
     */
    interface Calibration {
        /** @return each output, by name */
        Map<String, float[]> channelMaxima(OnnxModel model);
    }

    /**
     * The forward pass with the inputs and outputs of {@link LlamaGraph}, whatever the model; its weights are written
     * below {@code scratch} where they are not there yet.
     *
     * @param calibration asked for {@link Precision#INT8} alone, where the weights are not there yet
     */
    OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch);

    /**
     * The forward pass with the inputs and outputs of {@link CachedLlamaGraph}, in single precision, for generating text;
     * its weights are written below {@code scratch} where they are not there yet.
     *
     * @throws org.potstill.errors.UserException if the model can only read whole texts
     */
    OnnxModel cached(Path scratch);

    @Override
    void close();
}
