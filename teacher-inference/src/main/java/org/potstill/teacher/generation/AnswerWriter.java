// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.concurrent.CompletableFuture;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.graph.DecodingLoop;
import org.potstill.checkpoints.graph.WritingGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * A model that continues texts, for many threads at a time. An answer is a function of its request, the model and the
 * sampling options, whatever else is being written, unless a server writes it.
 */
public interface AnswerWriter extends AutoCloseable {
    /**
     * Requests an answer. Cancelling the result ends the work on it.
     *
     * @return an answer, or a {@link org.potstill.errors.UserException} for a request that the model cannot read
     */
    CompletableFuture<Answer> submit(AnswerRequest request);

    /** Returns the work done since the last call. */
    WritingWork takeWork();

    /**
     * Opens a writer, in half precision on a GPU, otherwise on the CPU.
     *
     * @param model    not needed after this returns; stays open
     * @param sampling its seed is not used: each request has its own
     * @param limits   of the memory for keys and values, on a GPU of its own
     */
    static AnswerWriter open(CausalLm model, SamplingOptions sampling, TeacherOptions options, WritingLimits limits) {
        if (options.precision() == Precision.FP16) {
            if (model instanceof Checkpoint checkpoint && DecodingLoop.supports(checkpoint.config())) {
                return new LoopWriter(checkpoint, sampling, options, limits);
            }
            throw TeacherErrors.notWrittenOnGpus();
        }
        return model instanceof Checkpoint checkpoint && WritingGraph.supports(checkpoint.config())
                ? new BatchWriter(checkpoint, sampling, options, limits)
                : new SequentialWriter(model, sampling, options);
    }

    @Override
    void close();
}
