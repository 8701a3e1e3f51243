package org.potstill.teacher;

import org.potstill.softlabels.SoftTargets;

/**
 * What the teacher said of one sequence, or why it said nothing of use.
 *
 * @param targets            its distribution at each position; null when there is a problem
 * @param tokenLogProbabilities log-probability, in nats, that it gave to the token that really came next, per position;
 *                           null when there is a problem
 * @param entropies          of its whole distribution at each position, in nats; null when there is a problem. For
 *                           statistics: the last bits may depend on the other sequences of the pass
 * @param problem            why not; null when all is well
 */
public record ScoredSequence(SoftTargets targets, float[] tokenLogProbabilities, float[] entropies, String problem) {
    /** Σ −log p, in nats, of the tokens that really came next. */
    public double loss() {
        return 0 - sum(tokenLogProbabilities);
    }

    /** Σ of the entropies, in nats. */
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

    static ScoredSequence of(SoftTargets targets, float[] tokenLogProbabilities, float[] entropies) {
        return new ScoredSequence(targets, tokenLogProbabilities, entropies, null);
    }

    static ScoredSequence notFinite(int position) {
        return new ScoredSequence(null, null, null, "the teacher gave no finite probabilities at position " + position
                + ": its weights or activations overflow");
    }
}
