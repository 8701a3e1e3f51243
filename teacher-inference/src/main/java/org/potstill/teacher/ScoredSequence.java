package org.potstill.teacher;

import org.potstill.softlabels.SoftTargets;

/**
 * What the teacher said of one sequence.
 *
 * @param targets            its distribution at each position
 * @param tokenLogProbabilities log-probability, in nats, that it gave to the token that really came next, per position
 */
public record ScoredSequence(SoftTargets targets, float[] tokenLogProbabilities) {
}
