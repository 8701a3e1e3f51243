// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.util.List;

/**
 * Both models as they are served: each in a process of its own that does nothing else, the passes of the two timed in turn.
 *
 * @param processor      model name of the machine's processor; empty where it is not known
 * @param threads        CPU threads per model
 * @param passTokens     positions per timed forward pass
 * @param sequenceLength longest sequence of a pass, in positions
 * @param speedRatio     the student's tokens/s in a forward pass divided by the teacher's in the pass just before; null where not measured
 * @param timeRatio      the student's time per generated token divided by the teacher's for the same beginning; null where not measured
 */
public record ServingSummary(String processor, int threads, long passTokens, int sequenceLength, ServedFigures teacher, ServedFigures student,
        Timing speedRatio, Timing timeRatio, List<Continuation> texts) implements Serializable {
    /**
     * One model's figures; each null where it was not measured.
     *
     * @param engine          that computed forward passes, with its device and precision
     * @param tokensPerSecond of forward passes
     * @param passPeakBytes   peak resident memory of the process with forward passes
     * @param millisecondsPerToken of generation, one text at a time, on the CPU; in fp32 where the precision is fp16
     * @param generationPeakBytes  peak resident memory of the process that generated
     */
    public record ServedFigures(String engine, Timing tokensPerSecond, Long passPeakBytes, Timing millisecondsPerToken,
            Long generationPeakBytes) implements Serializable {
    }

    /** Median and extremes of repeated measurements. */
    public record Timing(double median, double low, double high, int repeats) implements Serializable {
    }

    /**
     * The beginning of a held-out document as both models continue it, greedily.
     *
     * @param document where it comes from
     */
    public record Continuation(String document, String beginning, String teacher, String student) implements Serializable {
    }
}
