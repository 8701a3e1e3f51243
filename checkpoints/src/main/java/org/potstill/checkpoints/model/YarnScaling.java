// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * YaRN's scaling of the rotary frequencies (Peng et al. 2023, arXiv 2309.00071), as in transformers: frequencies with more than
 * {@code fast} turns in the original context are unchanged, those with fewer than {@code slow} turns are divided by {@code
 * factor}, and those between are interpolated by their index.
 */
public final class YarnScaling {
    private YarnScaling() {
    }

    /**
     * Returns the divisors of the frequencies, {@code rotated / 2} numbers.
     *
     * @param rotated   number of a head's dimensions that are rotated
     * @param original  longest sequence that the frequencies were made for, in tokens
     * @param truncated whether the bounds between the three are whole numbers
     */
    public static List<Float> divisors(int rotated, double theta, double factor, double original, double fast, double slow, boolean truncated) {
        if (!(factor >= 1 && theta > 1 && original > 0 && slow > 0 && fast >= slow)) {
            throw CheckpointErrors.badConfig("a model's configuration", "rope_scaling of type yarn has factor " + factor + ", beta_fast "
                    + fast + ", beta_slow " + slow + " and original_max_position_embeddings " + original);
        }
        double low = index(fast, rotated, theta, original);
        double high = index(slow, rotated, theta, original);
        low = Math.max(truncated ? Math.floor(low) : low, 0);
        high = Math.min(truncated ? Math.ceil(high) : high, rotated - 1);
        high = high == low ? high + 0.001 : high;
        List<Float> divisors = new ArrayList<>();
        for (int j = 0; j < Math.min(rotated, CausalLmConfig.MAX_HEAD_DIM) / 2; j++) {
            double divided = Math.min(1, Math.max(0, (j - low) / (high - low)));
            divisors.add((float) (1 / (divided / factor + 1 - divided)));
        }
        return divisors;
    }

    /** Returns the index of the frequency with so many turns in the original context. */
    private static double index(double turns, int rotated, double theta, double original) {
        return rotated * Math.log(original / (turns * 2 * Math.PI)) / (2 * Math.log(theta));
    }
}
