package org.potstill.softlabels;

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

    /** Mass of the tokens not listed at a position, clamped to [0, 1]. */
    public float tailMass(int position) {
        double kept = 0;
        for (int i = begin(position); i < end(position); i++) {
            kept += probabilities[i];
        }
        return (float) Math.min(1, Math.max(0, 1 - kept));
    }
}
