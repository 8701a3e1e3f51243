package org.potstill.student;

import org.potstill.softlabels.SoftTargets;

/**
 * One sequence to learn from.
 *
 * @param tokens  n token ids
 * @param targets the teacher's n − 1 distributions
 */
public record TrainingSequence(int[] tokens, SoftTargets targets) {
    public TrainingSequence {
        if (targets.positions() != tokens.length - 1) {
            throw new IllegalArgumentException(tokens.length + " tokens but " + targets.positions() + " positions");
        }
    }
}
