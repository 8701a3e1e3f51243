// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.UnaryOperator;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.metrics.Comparison;
import org.potstill.spark.metrics.DistributionComparer;

/**
 * Deviation of an exported model from the student, over full distributions.
 *
 * @param kl         mean KL(student‖export), in nats per token
 * @param agreement  top-1 agreement with the student
 * @param positions  number of positions measured
 * @param measuredOn description of the text
 */
public record Fidelity(double kl, double agreement, long positions, String measuredOn) {
    /** Maximum number of logits in memory at once; of longer sequences only the beginning is compared. */
    private static final int MAX_LOGITS = 1 << 26;

    interface Model {
        /** Returns logits, row-major {@code [ids.length, vocabSize]}. */
        float[] logits(int[] ids);
    }

    /**
     * Measures the deviation.
     *
     * @param vocabSize    columns of both models' logits
     * @param maxPositions maximum sequence length of both models
     */
    static Fidelity measure(Model student, Model export, int vocabSize, Sample sample, int maxPositions) {
        Comparison sums = Comparison.NONE;
        try (DistributionComparer comparer = new DistributionComparer(vocabSize, Runtime.getRuntime().availableProcessors())) {
            for (int[] sequence : sample.sequences()) {
                int[] tokens = Arrays.copyOf(sequence, Math.min(sequence.length, 1 + Math.min(maxPositions, MAX_LOGITS / vocabSize)));
                int[] inputs = Arrays.copyOf(tokens, tokens.length - 1);
                sums = sums.plus(comparer.compare(comparer.logits(student.logits(inputs), vocabSize),
                        List.of(comparer.logits(export.logits(inputs), vocabSize)), tokens).get(0));
            }
        }
        if (!Double.isFinite(sums.kl())) {
            throw JobErrors.exportNotFinite(sample.text());
        }
        // Rounding can make the KL of equal distributions slightly negative.
        return new Fidelity(Math.max(0, sums.kl() / sums.positions()), (double) sums.agreed() / sums.positions(), sums.positions(), sample.text());
    }

    /** Describes the deviation in words. */
    public String describe() {
        return describe(UnaryOperator.identity());
    }

    /**
     * Describes the deviation in words.
     *
     * @param visible escapes the text's name
     */
    String describe(UnaryOperator<String> visible) {
        return String.format(Locale.ROOT, "%s nats per token, the same top-1 token at %.2f %% of %,d positions of %s", nats(kl), 100 * agreement,
                positions, visible.apply(measuredOn));
    }

    /** Formats a KL divergence so that small values keep two digits. */
    private static String nats(double kl) {
        return kl >= 1e-4 ? String.format(Locale.ROOT, "%.5f", kl) : String.format(Locale.ROOT, "%.1e", kl);
    }
}
