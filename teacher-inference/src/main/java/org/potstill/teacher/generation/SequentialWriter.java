// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.Arrays;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.potstill.checkpoints.CausalLm;
import org.potstill.errors.UserException;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.UniformNumbers;

/** Writing of one text after the other, with any model that has a key/value cache; the naive twin of {@link BatchWriter}. */
final class SequentialWriter implements AnswerWriter {
    private final InputLimits limits;
    private final Set<Integer> stopIds;
    private final Sampler sampler;
    private final CachedSession session;
    private final WorkCounters counters = new WorkCounters();

    SequentialWriter(CausalLm model, SamplingOptions sampling, TeacherOptions options) {
        limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        stopIds = Set.copyOf(model.tokenizer().stopIds());
        sampler = new Sampler(sampling);
        session = new CachedSession(Generator.graph(model, options.threads(), options.scratch(), options.precision()), model.vocabSize(),
                options.threads());
    }

    /** Writes the answer before it returns. */
    @Override
    public synchronized CompletableFuture<Answer> submit(AnswerRequest request) {
        try {
            limits.requirePrompt(request.prompt());
            long begin = System.nanoTime();
            Answer answer = write(request);
            counters.worked(System.nanoTime() - begin);
            return CompletableFuture.completedFuture(answer);
        } catch (UserException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private Answer write(AnswerRequest request) {
        UniformNumbers points = request.points();
        int[] written = new int[request.maxNewTokens()];
        int count = 0;
        session.forget();
        counters.read(request.prompt().length - 1, 0);
        for (float[] logits = null; count < written.length; count++) {
            if (session.length() == limits.maxPositionEmbeddings()) {
                break;
            }
            logits = logits == null ? session.read(request.prompt()) : session.read(written[count - 1]);
            if (!CachedSession.finite(logits)) {
                return new Answer(Arrays.copyOf(written, count), Answer.End.NOT_FINITE);
            }
            counters.wrote(1);
            written[count] = sampler.choose(logits, points.at(count));
            if (stopIds.contains(written[count])) {
                return new Answer(Arrays.copyOf(written, count), Answer.End.STOP);
            }
        }
        return new Answer(Arrays.copyOf(written, count), Answer.End.LENGTH);
    }

    @Override
    public WritingWork takeWork() {
        return counters.take();
    }

    @Override
    public synchronized void close() {
        session.close();
    }
}
