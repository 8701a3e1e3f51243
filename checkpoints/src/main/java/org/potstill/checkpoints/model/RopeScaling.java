// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * Llama 3.1's scaling of the rotary frequencies, as in transformers: frequencies with fewer than {@code lowFreqFactor}
 * turns in the original context are divided by {@code factor}, those with more than {@code highFreqFactor} turns are
 * unchanged, and those between are interpolated.
 *
 * @param factor            divisor of low frequencies; at least 1
 * @param lowFreqFactor     above 0
 * @param highFreqFactor    above {@code lowFreqFactor}
 * @param originalPositions longest sequence that the frequencies were made for, in tokens
 */
public record RopeScaling(double factor, double lowFreqFactor, double highFreqFactor, double originalPositions) {
    /** What all of Meta's models have, but for the factor: 8 in Llama 3.1, 32 in the small ones of 3.2. */
    static final RopeScaling LLAMA3 = new RopeScaling(8, 1, 4, 8192);
    /** Of divisors that another program rounded to single precision. */
    private static final float ROUNDING = 1e-6f;

    public RopeScaling {
        if (!(factor >= 1 && lowFreqFactor > 0 && highFreqFactor > lowFreqFactor && originalPositions > 0)) {
            throw CheckpointErrors.badConfig("a model's configuration", "rope_scaling of type llama3 has factor " + factor
                    + ", low_freq_factor " + lowFreqFactor + ", high_freq_factor " + highFreqFactor
                    + " and original_max_position_embeddings " + originalPositions);
        }
    }

    /** Returns the divisors of the frequencies, {@code headDim / 2} numbers. */
    public List<Float> divisors(int headDim, double theta) {
        List<Float> divisors = new ArrayList<>();
        for (int j = 0; j < Math.min(headDim, CausalLmConfig.MAX_HEAD_DIM) / 2; j++) {
            double turns = originalPositions / (2 * Math.PI * Math.pow(theta, 2.0 * j / headDim));
            double kept = Math.min(1, Math.max(0, (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)));
            divisors.add((float) (1 / ((1 - kept) / factor + kept)));
        }
        return divisors;
    }

    /** The scaling of a Llama 3 whose divisors these are; null where they are no such model's. */
    static RopeScaling llama3(List<Float> divisors, int headDim, double theta) {
        float factor = divisors.get(divisors.size() - 1);
        if (!(factor > 1)) {
            return null;
        }
        RopeScaling scaling = new RopeScaling(factor, LLAMA3.lowFreqFactor, LLAMA3.highFreqFactor, LLAMA3.originalPositions);
        List<Float> theirs = scaling.divisors(headDim, theta);
        for (int j = 0; j < divisors.size(); j++) {
            if (Math.abs(theirs.get(j) - divisors.get(j)) > ROUNDING * divisors.get(j)) {
                return null;
            }
        }
        return scaling;
    }
}
