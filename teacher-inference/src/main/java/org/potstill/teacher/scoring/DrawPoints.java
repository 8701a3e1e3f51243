// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.softlabels.TargetSpec;

/**
 * The points in [0, 1) at which a sequence's targets are drawn, by systematic sampling (Madow 1949): those of a position
 * lie evenly spaced, 1/S apart, behind one random beginning. A token of probability p then comes ⌊S·p⌋ or ⌈S·p⌉ times, S·p
 * on average: as unbiased as independent draws, with less variance.
 *
 * <p>The beginning is a function only of the sequence's ids, the seed and the position, so that scoring the sequence
 * again, in any batch, gives the same draws: SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator, keyed
 * by the first 8 bytes of SHA-256 over seed and ids.
 */
public final class DrawPoints {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private final long state;
    private final int draws;

    public DrawPoints(int[] tokens, TargetSpec spec) {
        byte[] context = (spec.seed() + "\n").getBytes(StandardCharsets.US_ASCII);
        ByteBuffer bytes = ByteBuffer.allocate(context.length + 4 * tokens.length).put(context);
        bytes.asIntBuffer().put(tokens);
        this.state = ByteBuffer.wrap(Sha256.digest().digest(bytes.array())).getLong();
        this.draws = spec.draws();
    }

    /** Returns the points of a position, ascending. */
    public double[] at(int position) {
        double[] points = new double[draws];
        double begin = uniform(position);
        for (int draw = 0; draw < draws; draw++) {
            points[draw] = (draw + begin) / draws;
        }
        return points;
    }

    /** Returns a multiple of 2⁻⁴⁰ in [0, 1): with 10 bits more for the number of a draw, no point rounds to 1. */
    private double uniform(int position) {
        long z = state + GOLDEN * (1L + position);
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return ((z ^ z >>> 31) >>> 24) * 0x1p-40;
    }
}
