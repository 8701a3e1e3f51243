package org.potstill.teacher;

import org.potstill.softlabels.SoftTargets;

/**
 * What the teacher said of one sequence, or why it said nothing of use.
 *
 * @param targets            its distribution at each position; null when there is a problem
 * @param tokenLogProbabilities log-probability, in nats, that it gave to the token that really came next, per position;
 *                           null when there is a problem
 * @param problem            why not; null when all is well
 */
public record ScoredSequence(SoftTargets targets, float[] tokenLogProbabilities, String problem) {
    static ScoredSequence of(SoftTargets targets, float[] tokenLogProbabilities) {
        return new ScoredSequence(targets, tokenLogProbabilities, null);
    }

    static ScoredSequence notFinite(int position) {
        return new ScoredSequence(null, null, "the teacher gave no finite probabilities at position " + position
                + ": its weights or activations overflow");
    }
}
