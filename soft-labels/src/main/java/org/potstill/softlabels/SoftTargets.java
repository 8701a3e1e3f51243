package org.potstill.softlabels;

import java.util.Arrays;
import java.util.Objects;

/**
 * Sparse next-token distributions of one sequence, in compressed sparse row form.
 *
 * <p>Position {@code t} predicts token {@code t + 1}; its entries are {@code [offsets[t], offsets[t + 1])} of
 * {@code ids} and {@code probabilities}. What the probabilities of a position lack to one is its tail mass, the
 * ghost bucket. A sequence of n tokens has n − 1 positions.
 *
 * @param offsets       positions + 1 ascending numbers, the first 0
 * @param ids           token ids, distinct within a position
 * @param probabilities probability of each id, in (0, 1]
 */
public record SoftTargets(int[] offsets, int[] ids, float[] probabilities) {
    /** Of probabilities in single precision that sum to one. */
    private static final double ROUNDING = 1e-6;

    public SoftTargets {
        Objects.requireNonNull(offsets);
        if (offsets.length < 1 || offsets[0] != 0 || offsets[offsets.length - 1] != ids.length
                || ids.length != probabilities.length) {
            throw new IllegalArgumentException("offsets, ids and probabilities do not fit together");
        }
    }

    public int positions() {
        return offsets.length - 1;
    }

    public int begin(int position) {
        return offsets[position];
    }

    public int end(int position) {
        return offsets[position + 1];
    }

    /**
     * The same distributions given that the token's id lies below a limit: what a model of a smaller vocabulary can learn.
     * Ids beyond it are left out and the others' probabilities, and the tail, divided by the mass that remains. A position
     * whose mass lies beyond, but for rounding, is left with no entries.
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

    /** Mass of the tokens not listed at a position, clamped to [0, 1]. */
    public float tailMass(int position) {
        double kept = 0;
        for (int i = begin(position); i < end(position); i++) {
            kept += probabilities[i];
        }
        return (float) Math.min(1, Math.max(0, 1 - kept));
    }
}
