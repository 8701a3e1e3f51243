// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import org.potstill.softlabels.SoftTargets;

/**
 * A teacher's scores of one sequence, or the reason why there are none.
 *
 * @param targets            soft targets per position; null if there is a problem
 * @param tokenLogProbabilities log-probability of the actual next token per position, in nats; null if there is a problem
 * @param entropies          entropy of the full distribution per position, in nats; null if there is a problem. For
 *                           statistics only: the last bits may depend on the other sequences of the pass, and a teacher
 *                           behind a URL gives a lower bound, with the unlisted tokens as one
 * @param problem            why there are no scores; null if there are
 */
public record ScoredSequence(SoftTargets targets, float[] tokenLogProbabilities, float[] entropies, String problem) {
    /** Returns Σ −log p of the actual next tokens, in nats. */
    public double loss() {
        return 0 - sum(tokenLogProbabilities);
    }

    /** Returns the sum of the entropies, in nats. */
    public double entropy() {
        return sum(entropies);
    }

    private static double sum(float[] ofPositions) {
        double sum = 0;
        for (float of : ofPositions) {
            sum += of;
        }
        return sum;
    }

    public static ScoredSequence of(SoftTargets targets, float[] tokenLogProbabilities, float[] entropies) {
        return new ScoredSequence(targets, tokenLogProbabilities, entropies, null);
    }

    public static ScoredSequence notFinite(int position) {
        return new ScoredSequence(null, null, null, "the teacher gave no finite probabilities at position " + position
                + ": its weights are NaN or infinite, or its activations overflow");
    }
}
