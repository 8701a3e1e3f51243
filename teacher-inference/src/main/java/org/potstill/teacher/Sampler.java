package org.potstill.teacher;

import java.util.Arrays;
import java.util.Random;

/** Draws tokens from logits: temperature first, then top-k, then top-p, as transformers has it. */
final class Sampler {
    private final SamplingOptions options;
    private final Random random;

    Sampler(SamplingOptions options) {
        this.options = options;
        this.random = new Random(options.seed());
    }

    /**
     * @param logits of one position, all finite
     * @return a token; of equal ones the first counts as the more probable
     */
    int next(float[] logits) {
        int[] order = order(logits);
        if (options.temperature() == 0) {
            return order[0];
        }
        int count = options.topK() == 0 ? order.length : Math.min(options.topK(), order.length);
        double[] weights = new double[count];
        double total = 0;
        for (int i = 0; i < count; i++) {
            weights[i] = Math.exp((logits[order[i]] - logits[order[0]]) / options.temperature());
            total += weights[i];
        }
        double kept = 0;
        int nucleus = 0;
        while (nucleus < count && (nucleus == 0 || kept < options.topP() * total)) {
            kept += weights[nucleus++];
        }
        double draw = random.nextDouble() * kept;
        for (int i = 0; i < nucleus - 1; i++) {
            draw -= weights[i];
            if (draw < 0) {
                return order[i];
            }
        }
        return order[nucleus - 1];
    }

    /** Ids from the largest logit to the smallest; for a greedy choice the largest alone. */
    private int[] order(float[] logits) {
        if (options.temperature() == 0) {
            int best = 0;
            for (int id = 1; id < logits.length; id++) {
                best = logits[id] > logits[best] ? id : best;
            }
            return new int[] {best};
        }
        // Sorted as longs: a logit's bits, such that they ascend as it descends, above its id.
        long[] keys = new long[logits.length];
        for (int id = 0; id < keys.length; id++) {
            int bits = Float.floatToIntBits(logits[id] + 0f);
            int ascending = bits ^ (bits >> 31 & 0x7fffffff);
            keys[id] = (long) ~ascending << 32 | id;
        }
        Arrays.sort(keys);
        int[] order = new int[keys.length];
        for (int i = 0; i < order.length; i++) {
            order[i] = (int) keys[i];
        }
        return order;
    }
}
