package org.potstill.teacher;

import java.nio.file.Path;
import java.util.Set;
import java.util.function.Consumer;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.OnnxModel;
import org.potstill.checkpoints.Precision;
import org.potstill.checkpoints.Tokenizer;

/** Writes text with a model: on ONNX Runtime, on the CPU, with a cache of keys and values. For one thread. */
public final class Generator implements AutoCloseable {
    private final InputLimits limits;
    private final Set<Integer> stopIds;
    private final Tokenizer tokenizer;
    private final CachedSession session;

    /**
     * What was written.
     *
     * @param promptTokens  read
     * @param tokens        written, that which ended the text included
     * @param promptSeconds until the prompt was read
     * @param seconds       from then on
     */
    public record Written(int promptTokens, int tokens, double promptSeconds, double seconds) {
    }

    /**
     * @param model     not needed any more when this returns; stays open
     * @param tokenizer the model's; stays open
     * @param scratch   folder on a local disk for the model's weights, kept between runs
     */
    public Generator(CausalLm model, Tokenizer tokenizer, int threads, Path scratch) {
        this(model, tokenizer, threads, scratch, Precision.FP32);
    }

    /**
     * A generator that computes in a precision.
     *
     * @param precision FP32 or, for a {@link Checkpoint}, INT8
     */
    public Generator(CausalLm model, Tokenizer tokenizer, int threads, Path scratch, Precision precision) {
        limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        stopIds = Set.copyOf(model.tokenizer().stopIds());
        this.tokenizer = tokenizer;
        session = new CachedSession(graph(model, threads, scratch, precision), model.vocabSize(), threads);
    }

    private static OnnxModel graph(CausalLm model, int threads, Path scratch, Precision precision) {
        if (precision == Precision.INT8 && model instanceof Checkpoint checkpoint) {
            TeacherOptions options = new TeacherOptions(TeacherOptions.Engine.ONNX, TeacherOptions.Device.CPU, 0, precision, threads, scratch);
            return checkpoint.cached(precision, Teachers.calibration(model, options), scratch);
        }
        return model.cached(scratch);
    }

    /**
     * Goes on from a prompt until the model ends its text, or so many tokens are written, or its context is full.
     *
     * @param prompt at least one token
     * @param text   told as it comes, whole characters only
     */
    public Written write(int[] prompt, int maxNewTokens, SamplingOptions sampling, Consumer<String> text) {
        if (prompt.length == 0 || prompt.length > limits.maxPositionEmbeddings()) {
            throw TeacherErrors.badPrompt(prompt.length, limits.maxPositionEmbeddings());
        }
        limits.requireReadable(prompt);
        session.forget();
        Sampler sampler = new Sampler(sampling);
        TextStream stream = new TextStream(tokenizer);
        long begin = System.nanoTime();
        float[] logits = session.read(prompt);
        long read = System.nanoTime();
        int written = 0;
        while (written < maxNewTokens) {
            int token = sampler.next(logits);
            written++;
            if (stopIds.contains(token)) {
                break;
            }
            text.accept(stream.add(token));
            if (written == maxNewTokens || session.length() == limits.maxPositionEmbeddings()) {
                break;
            }
            logits = session.read(token);
        }
        text.accept(stream.end());
        return new Written(prompt.length, written, (read - begin) / 1e9, (System.nanoTime() - read) / 1e9);
    }

    @Override
    public void close() {
        session.close();
    }
}
