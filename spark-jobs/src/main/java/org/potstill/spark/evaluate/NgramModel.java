// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.util.Map;
import org.potstill.student.LogitComparison.Logits;

/**
 * Unigram and bigram probabilities, smoothed by interpolation (Witten and Bell 1991, "The zero-frequency problem", method C),
 * so that none is zero:
 *
 * <pre>
 * P(w)     = (c(w) + T · 1/V) / (N + T)           T: distinct tokens, N: tokens, V: vocabulary
 * P(w | h) = (c(h, w) + T(h) · P(w)) / (c(h) + T(h))    T(h): distinct tokens seen after h
 * </pre>
 *
 * @param tokens     number of counted tokens
 * @param logits     log P(w) by id
 * @param successors for each selected history, logits of the ids seen after it: log P(w | h), shifted by a constant so that the
 *                   logits of all other ids are those of {@code logits}
 */
record NgramModel(long tokens, float[] logits, Map<Integer, Successors> successors) implements Serializable {
    /** Ids seen after a history, and their logits. */
    record Successors(int[] ids, float[] logits) implements Serializable {
    }

    static NgramModel of(long[] unigrams, Map<Integer, Counts> bigrams) {
        long total = 0;
        long distinct = 0;
        for (long count : unigrams) {
            total += count;
            distinct += count > 0 ? 1 : 0;
        }
        double[] p = new double[unigrams.length];
        float[] logits = new float[unigrams.length];
        for (int w = 0; w < p.length; w++) {
            // If nothing was counted, the distribution is uniform.
            p[w] = total == 0 ? 1.0 / p.length : (unigrams[w] + (double) distinct / p.length) / (total + distinct);
            logits[w] = (float) Math.log(p[w]);
        }
        Map<Integer, Successors> successors = new java.util.HashMap<>();
        bigrams.forEach((history, counts) -> {
            float[] seen = new float[counts.ids.length];
            for (int i = 0; i < seen.length; i++) {
                // The factor T(h) / (c(h) + T(h)) of P(w | h) is common to all w and cancels in the softmax.
                seen[i] = (float) Math.log(p[counts.ids[i]] + (double) counts.counts[i] / seen.length);
            }
            successors.put(history, new Successors(counts.ids, seen));
        });
        return new NgramModel(total, logits, successors);
    }

    /** Ids seen after a history, with their counts. */
    record Counts(int[] ids, long[] counts) implements Serializable {
    }

    Logits unigram() {
        return (position, target) -> System.arraycopy(logits, 0, target, 0, logits.length);
    }

    /**
     * Returns bigram logits for a sequence.
     *
     * @param tokens token t is the history of position t
     */
    Logits bigram(int[] tokens) {
        return (position, target) -> {
            System.arraycopy(logits, 0, target, 0, logits.length);
            Successors seen = successors.get(tokens[position]);
            for (int i = 0; seen != null && i < seen.ids.length; i++) {
                target[seen.ids[i]] = seen.logits[i];
            }
        };
    }
}
