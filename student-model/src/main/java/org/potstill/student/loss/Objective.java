// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;

import org.potstill.student.errors.StudentErrors;
/**
 * The training loss per position, at temperature 1: {@code α·divergence + (1 − α)·cross-entropy of the target token}.
 *
 * @param alpha      weight of the divergence in the first step
 * @param finalAlpha weight in the last step; in between, alpha changes linearly
 * @param divergence divergence from the teacher
 * @param tail       treatment of the tokens that are not in the teacher's targets
 */
public record Objective(double alpha, double finalAlpha, Divergence divergence, Tail tail) implements java.io.Serializable {
    public Objective {
        requireShare("alpha", alpha);
        requireShare("the final alpha", finalAlpha);
    }

    /** Returns the forward KL with a ghost bucket and constant α. */
    public static Objective of(double alpha) {
        return new Objective(alpha, alpha, Divergence.FORWARD_KL, Tail.GHOST);
    }

    public double alphaAt(int step, int totalSteps) {
        return totalSteps < 2 ? alpha : alpha + (finalAlpha - alpha) * Math.min(1, (double) step / (totalSteps - 1));
    }

    private static void requireShare(String name, double value) {
        if (!(value >= 0 && value <= 1)) {
            throw StudentErrors.badOptions(name + " is " + value + ", not between 0 and 1");
        }
    }
}
