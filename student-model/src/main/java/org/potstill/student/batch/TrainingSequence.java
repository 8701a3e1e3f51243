// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.batch;

import org.potstill.softlabels.SoftTargets;

/**
 * One labelled sequence for training.
 *
 * @param tokens  n token ids
 * @param targets the teacher's n − 1 distributions
 * @param counted mask of the n − 1 positions to learn from; null for all. The others serve only as context.
 */
public record TrainingSequence(int[] tokens, SoftTargets targets, boolean[] counted) {
    public TrainingSequence(int[] tokens, SoftTargets targets) {
        this(tokens, targets, null);
    }

    public TrainingSequence {
        if (counted != null && counted.length != targets.positions()) {
            throw new IllegalArgumentException(targets.positions() + " positions, a mask of " + counted.length);
        }
        if (targets.positions() != tokens.length - 1) {
            throw new IllegalArgumentException(tokens.length + " tokens but " + targets.positions() + " positions");
        }
    }
}
