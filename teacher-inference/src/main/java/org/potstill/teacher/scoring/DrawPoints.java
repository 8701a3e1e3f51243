// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import org.potstill.softlabels.TargetSpec;

/**
 * The points in [0, 1) at which a sequence's targets are drawn, by systematic sampling (Madow 1949): those of a position
 * lie evenly spaced, 1/S apart, behind one random beginning. A token of probability p then comes ⌊S·p⌋ or ⌈S·p⌉ times, S·p
 * on average: as unbiased as independent draws, with less variance.
 *
 * <p>The beginning is a function only of the sequence's ids, the seed and the position, so that scoring the sequence
 * again, in any batch, gives the same draws.
 */
public final class DrawPoints {
    private final UniformNumbers beginnings;
    private final int draws;

    public DrawPoints(int[] tokens, TargetSpec spec) {
        this.beginnings = new UniformNumbers(Long.toString(spec.seed()), tokens);
        this.draws = spec.draws();
    }

    /** Returns the points of a position, ascending. */
    public double[] at(int position) {
        double[] points = new double[draws];
        double begin = beginnings.at(position);
        for (int draw = 0; draw < draws; draw++) {
            points[draw] = (draw + begin) / draws;
        }
        return points;
    }
}
