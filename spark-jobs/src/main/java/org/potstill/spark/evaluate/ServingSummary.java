// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.util.List;

/**
 * Speed and memory of both models, each served by its own process. Their passes alternate.
 *
 * @param processor      model name of the machine's processor; empty if unknown
 * @param threads        CPU threads per model
 * @param passTokens     positions per timed forward pass
 * @param sequenceLength longest sequence of a pass, in positions
 * @param speedRatio     the student's tokens/s in a forward pass divided by the teacher's in the pass just before; null if not measured
 * @param timeRatio      the student's time per generated token divided by the teacher's for the same beginning; null if not measured
 */
public record ServingSummary(String processor, int threads, long passTokens, int sequenceLength, ServedFigures teacher, ServedFigures student,
        Timing speedRatio, Timing timeRatio, List<Continuation> texts) implements Serializable {
    /**
     * Figures of one model; null if not measured.
     *
     * @param engine          engine of the forward passes, with device and precision
     * @param tokensPerSecond speed of forward passes
     * @param passPeakBytes   peak resident memory of the process that computed forward passes
     * @param millisecondsPerToken time of generation, one text at a time, on the CPU; in fp32 if the precision is fp16
     * @param generationPeakBytes  peak resident memory of the process that generated
     */
    public record ServedFigures(String engine, Timing tokensPerSecond, Long passPeakBytes, Timing millisecondsPerToken,
            Long generationPeakBytes) implements Serializable {
    }

    /** Median and extremes of repeated measurements. */
    public record Timing(double median, double low, double high, int repeats) implements Serializable {
    }

    /**
     * Greedy continuations of the beginning of a held-out document.
     *
     * @param document id of the document
     */
    public record Continuation(String document, String beginning, String teacher, String student) implements Serializable {
    }
}
