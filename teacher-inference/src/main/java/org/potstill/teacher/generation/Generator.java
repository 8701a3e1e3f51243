// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.nio.file.Path;
import java.util.Set;
import java.util.function.Consumer;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.teacher.onnx.CalibrationText;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;

/** Text generation with a model, on ONNX Runtime on the CPU with a key/value cache. Not thread-safe. */
public final class Generator implements AutoCloseable {
    private final InputLimits limits;
    private final Set<Integer> stopIds;
    private final Tokenizer tokenizer;
    private final CachedSession session;

    /**
     * Statistics of one generation.
     *
     * @param promptTokens  tokens read
     * @param tokens        tokens written, including the one that ended the text
     * @param promptSeconds time to read the prompt
     * @param seconds       time to write
     */
    public record Written(int promptTokens, int tokens, double promptSeconds, double seconds) {
    }

    /**
     * Makes a generator that computes in FP32.
     *
     * @param model     not needed after the constructor returns; stays open
     * @param tokenizer of the model; stays open
     * @param scratch   folder on a local disk for the model's weights, kept between runs
     */
    public Generator(CausalLm model, Tokenizer tokenizer, int threads, Path scratch) {
        this(model, tokenizer, threads, scratch, Precision.FP32);
    }

    /**
     * Makes a generator that computes in a given precision.
     *
     * @param precision FP32 or, for a {@link Checkpoint}, INT8
     */
    public Generator(CausalLm model, Tokenizer tokenizer, int threads, Path scratch, Precision precision) {
        limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        stopIds = Set.copyOf(model.tokenizer().stopIds());
        this.tokenizer = tokenizer;
        session = new CachedSession(graph(model, threads, scratch, precision), model.vocabSize(), threads);
    }

    static OnnxModel graph(CausalLm model, int threads, Path scratch, Precision precision) {
        if (precision == Precision.INT8 && model instanceof Checkpoint checkpoint) {
            TeacherOptions options = new TeacherOptions(TeacherOptions.Engine.ONNX, TeacherOptions.Device.CPU, 0, precision, threads, scratch);
            return checkpoint.cached(precision, CalibrationText.calibration(model, options), scratch);
        }
        return model.cached(scratch);
    }

    /**
     * Continues a prompt until the model ends its text, {@code maxNewTokens} are written, or the context is full.
     *
     * @param prompt at least one token
     * @param text   receives the text as it is generated, whole characters only
     */
    public Written write(int[] prompt, int maxNewTokens, SamplingOptions sampling, Consumer<String> text) {
        limits.requirePrompt(prompt);
        session.forget();
        Sampler sampler = new Sampler(sampling);
        TextStream stream = new TextStream(tokenizer);
        long begin = System.nanoTime();
        float[] logits = read(prompt);
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
            logits = read(token);
        }
        text.accept(stream.end());
        return new Written(prompt.length, written, (read - begin) / 1e9, (System.nanoTime() - read) / 1e9);
    }

    private float[] read(int... ids) {
        float[] logits = session.read(ids);
        if (!CachedSession.finite(logits)) {
            throw TeacherErrors.notFinite(session.length());
        }
        return logits;
    }

    @Override
    public void close() {
        session.close();
    }
}
