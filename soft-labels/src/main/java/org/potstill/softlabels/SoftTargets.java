// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;
import java.util.Objects;

/**
 * Sparse next-token distributions of one sequence, in compressed sparse row form.
 *
 * <p>Position {@code t} predicts token {@code t + 1}; its entries are {@code [offsets[t], offsets[t + 1])} of {@code ids}
 * and {@code probabilities}. The rest of a position's mass, one less the sum of its probabilities, is its tail mass, also
 * called the ghost bucket. A sequence of n tokens has n − 1 positions.
 *
 * @param offsets       positions + 1 numbers, ascending from 0
 * @param ids           token ids, distinct within a position
 * @param probabilities probability of each id, in (0, 1]
 */
public record SoftTargets(int[] offsets, int[] ids, float[] probabilities) {
    /** Rounding error of single-precision probabilities that sum to one. */
    private static final double ROUNDING = 1e-6;

    public SoftTargets {
        Objects.requireNonNull(offsets);
        if (offsets.length < 1 || offsets[0] != 0 || offsets[offsets.length - 1] != ids.length
                || ids.length != probabilities.length) {
            throw new IllegalArgumentException("offsets, ids and probabilities do not fit together");
        }
    }

    /** Returns the number of positions. */
    public int positions() {
        return offsets.length - 1;
    }

    /** Returns the index of a position's first entry. */
    public int begin(int position) {
        return offsets[position];
    }

    /** Returns the index after a position's last entry. */
    public int end(int position) {
        return offsets[position + 1];
    }

    /**
     * Returns the distributions conditioned on ids below a limit, for a student with a smaller vocabulary. Larger ids are
     * dropped, and the other probabilities, tail included, are divided by the remaining mass. A position with no
     * remaining mass, up to rounding, gets no entries.
     */
    public SoftTargets below(int limit) {
        int kept = 0;
        for (int id : ids) {
            kept += id < limit ? 1 : 0;
        }
        if (kept == ids.length) {
            return this;
        }
        int[] newOffsets = new int[offsets.length];
        int[] newIds = new int[kept];
        float[] newProbabilities = new float[kept];
        int at = 0;
        for (int t = 0; t < positions(); t++) {
            double beyond = 0;
            for (int i = begin(t); i < end(t); i++) {
                beyond += ids[i] < limit ? 0 : probabilities[i];
            }
            double remains = 1 - beyond;
            for (int i = begin(t); i < end(t); i++) {
                if (ids[i] < limit && remains > ROUNDING) {
                    newIds[at] = ids[i];
                    newProbabilities[at++] = (float) Math.min(1, probabilities[i] / remains);
                }
            }
            newOffsets[t + 1] = at;
        }
        return new SoftTargets(newOffsets, Arrays.copyOf(newIds, at), Arrays.copyOf(newProbabilities, at));
    }

    /** Returns the mass of the tokens that are not listed at a position, clamped to [0, 1]. */
    public float tailMass(int position) {
        double kept = 0;
        for (int i = begin(position); i < end(position); i++) {
            kept += probabilities[i];
        }
        return (float) Math.min(1, Math.max(0, 1 - kept));
    }
}
