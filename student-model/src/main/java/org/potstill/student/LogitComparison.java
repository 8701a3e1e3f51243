// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import org.potstill.kernels.FloatValues;
import org.potstill.kernels.Row;

/**
 * Compares next-token distributions given by their logits with a reference distribution, one position at a time, with SIMD
 * where available (see {@link Row}). Both are softmaxes over the same {@code vocabSize} ids. Not thread-safe.
 */
public final class LogitComparison {
    private final int vocabSize;
    private final FloatValues reference;
    /** Softmax of the reference, unnormalised. */
    private final FloatValues weights;
    private final FloatValues logits;
    private final FloatValues difference;
    private double weight;
    private double referenceLogSumExp;
    private int referenceBest;

    /** Source of a model's logits, position by position. */
    public interface Logits {
        /** Writes the logits of a position into the first elements of {@code target}, which may be longer. */
        void read(int position, float[] target);
    }

    /**
     * Result of a comparison; values may be NaN or infinite if the logits are.
     *
     * @param logProbability  log-probability of the requested id, in nats
     * @param best            most probable id; the lowest if there are several
     * @param bestProbability probability of {@code best}
     * @param rank            zero-based rank of the reference's most probable id: the number of ids that are more probable, or
     *                        equally probable and lower
     * @param kl              KL(reference‖this), in nats
     */
    public record Result(double logProbability, int best, double bestProbability, int rank, double kl) {
    }

    public LogitComparison(int vocabSize) {
        this.vocabSize = vocabSize;
        reference = Row.ofFloats(vocabSize);
        weights = Row.ofFloats(vocabSize);
        logits = Row.ofFloats(vocabSize);
        difference = Row.ofFloats(vocabSize);
    }

    /** Sets the reference distribution. */
    public void refer(Logits model, int position) {
        model.read(position, reference.values);
        System.arraycopy(reference.values, 0, weights.values, 0, vocabSize);
        double max = weights.max(vocabSize);
        referenceBest = firstOf(weights.values, max);
        weights.exp(vocabSize, max);
        weight = weights.sum(vocabSize);
        referenceLogSumExp = max + Math.log(weight);
    }

    /**
     * Compares a distribution with the reference.
     *
     * @param id the id whose log-probability to return
     */
    public Result compare(Logits model, int position, int id) {
        model.read(position, logits.values);
        double logit = logits.values[id];
        double max = logits.max(vocabSize);
        int best = firstOf(logits.values, max);
        int rank = rank(logits.values, referenceBest);
        System.arraycopy(reference.values, 0, difference.values, 0, vocabSize);
        difference.add(vocabSize, -1, logits);
        double cross = weights.dot(vocabSize, difference) / weight;
        logits.exp(vocabSize, max);
        double sum = logits.sum(vocabSize);
        double logSumExp = max + Math.log(sum);
        return new Result(logit - logSumExp, best, 1 / sum, rank, cross - referenceLogSumExp + logSumExp);
    }

    /** Returns the index of the first element equal to {@code max}, or 0 if there is none, as is possible with NaNs. */
    private int firstOf(float[] values, double max) {
        for (int i = 0; i < vocabSize; i++) {
            if (values[i] == max) {
                return i;
            }
        }
        return 0;
    }

    private int rank(float[] values, int of) {
        float value = values[of];
        int rank = 0;
        for (int i = 0; i < vocabSize; i++) {
            rank += values[i] > value ? 1 : 0;
        }
        for (int i = 0; i < of; i++) {
            rank += values[i] == value ? 1 : 0;
        }
        return rank;
    }
}
