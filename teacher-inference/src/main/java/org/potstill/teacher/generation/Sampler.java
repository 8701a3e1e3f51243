// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;

/** Sampling of tokens from logits: temperature, then top-k, then top-p, in the order of transformers. */
final class Sampler {
    private final SamplingOptions options;
    private final Random random;

    Sampler(SamplingOptions options) {
        this.options = options;
        this.random = new Random(options.seed());
    }

    /**
     * Samples the next token.
     *
     * @param logits of one position, all finite
     * @return a token id; of equal logits the first counts as more probable
     */
    int next(float[] logits) {
        return options.temperature() == 0 ? choose(logits, 0) : choose(logits, random.nextDouble());
    }

    /**
     * Chooses the token whose share of the kept probability a point falls in. The shares are in the order of ids if all tokens
     * are kept, otherwise the most probable ones come first.
     *
     * @param point in [0, 1); ignored if greedy
     */
    int choose(float[] logits, double point) {
        int best = best(logits);
        if (options.temperature() == 0) {
            return best;
        }
        double largest = logits[best];
        boolean all = options.topK() == 0 && options.topP() == 1;
        int[] order = all ? IntStream.range(0, logits.length).toArray() : order(logits);
        int count = options.topK() == 0 ? order.length : Math.min(options.topK(), order.length);
        double[] weights = new double[count];
        double total = 0;
        for (int i = 0; i < count; i++) {
            weights[i] = Math.exp((logits[order[i]] - largest) / options.temperature());
            total += weights[i];
        }
        double kept = 0;
        int nucleus = 0;
        while (nucleus < count && (nucleus == 0 || kept < options.topP() * total)) {
            kept += weights[nucleus++];
        }
        double draw = point * kept;
        for (int i = 0; i < nucleus - 1; i++) {
            draw -= weights[i];
            if (draw < 0) {
                return order[i];
            }
        }
        return order[nucleus - 1];
    }

    private static int best(float[] logits) {
        int best = 0;
        for (int id = 1; id < logits.length; id++) {
            best = logits[id] > logits[best] ? id : best;
        }
        return best;
    }

    /** Returns ids by descending logit. */
    private static int[] order(float[] logits) {
        // Sort keys: bits that ascend as the logit descends, above the id.
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
