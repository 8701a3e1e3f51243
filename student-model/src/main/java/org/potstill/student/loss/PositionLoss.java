// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;

import org.potstill.student.batch.PackedBatch;

/**
 * The loss at one position and its gradient with respect to the logits. Computed from the student's logits of the tokens that
 * the teacher kept and the summed exponentials of all others, in double precision whatever the decoder's type.
 *
 * <p>With a bucket for each kept token, possibly the ghost bucket, and v = {@link Divergence#slope}, the divergence's gradient is
 * {@code vᵢ − sᵢ·Σv} for a kept logit and {@code sⱼ·(v_ghost/s_ghost − Σv)} for any other, so all others share one factor.
 * The student's mass on them is summed directly: one minus the kept mass would suffer cancellation.
 */
public final class PositionLoss {
    /** Rounding error of single-precision probabilities that sum to one. */
    private static final double ROUNDING = 1e-6;

    private final Objective objective;
    private final double alpha;
    private double divergence;
    private double crossEntropy;
    private double tailFactor;
    private double[] keptGradient = new double[0];

    PositionLoss(Objective objective, double alpha) {
        this.objective = objective;
        this.alpha = alpha;
    }

    /**
     * Computes the losses and the gradient of one row.
     *
     * @param targets   the batch's targets, including the kept tokens of {@code row}
     * @param vocabSize size of the vocabulary; if all of it is kept, there is no ghost bucket
     * @param logits    logits of the kept tokens, minus the row's maximum
     * @param exps      exponentials of {@code logits}
     * @param tailSum   sum of the exponentials of all other tokens
     * @param next      logit of the target token, minus the row's maximum
     */
    public void compute(PackedBatch.Targets targets, int row, int vocabSize, double[] logits, double[] exps, double tailSum, double next) {
        int begin = targets.keptOffsets()[row];
        int kept = targets.keptOffsets()[row + 1] - begin;
        float[] p = targets.keptProbabilities();
        double mass = 0;
        double keptSum = 0;
        for (int i = 0; i < kept; i++) {
            mass += p[begin + i];
            keptSum += exps[i];
        }
        // If all others underflow, the smallest normal number keeps the loss finite.
        double tail = Math.max(tailSum, Float.MIN_NORMAL);
        double sum = tail + keptSum;
        boolean renormalise = objective.tail() == Tail.RENORMALISE;
        double whole = renormalise ? Math.max(keptSum, Float.MIN_NORMAL) : sum;
        double logWhole = Math.log(whole);
        double share = renormalise && kept > 0 ? 1 / mass : 1;
        if (keptGradient.length < kept) {
            keptGradient = new double[kept];
        }
        divergence = 0;
        double slopes = 0;
        for (int i = 0; i < kept; i++) {
            double s = exps[i] / whole;
            double logS = logits[i] - logWhole;
            divergence += objective.divergence().term(p[begin + i] * share, s, logS);
            keptGradient[i] = objective.divergence().slope(p[begin + i] * share, s, logS);
            slopes += keptGradient[i];
        }
        double ghostPull = 0;
        if (!renormalise && kept < vocabSize) {
            double ghost = ghost(mass);
            double s = tail / sum;
            if (ghost > 0 || objective.divergence() == Divergence.JSD) {
                divergence += objective.divergence().term(ghost, s, Math.log(s));
                double slope = objective.divergence().slope(ghost, s, Math.log(s));
                slopes += slope;
                ghostPull = slope / s;
            }
        }
        crossEntropy = Math.log(sum) - next;
        tailFactor = (alpha * (renormalise ? 0 : ghostPull - slopes) + 1 - alpha) / sum;
        for (int i = 0; i < kept; i++) {
            keptGradient[i] = alpha * (keptGradient[i] - exps[i] / whole * slopes) + (1 - alpha) * exps[i] / sum;
        }
    }

    /**
     * Returns the teacher's mass on all other tokens. Sampled targets leave nothing but rounding error, which counts as 0; the
     * reverse KL, infinite where the teacher's mass is 0, uses {@link #ROUNDING} instead.
     */
    private double ghost(double mass) {
        double ghost = 1 - mass;
        return ghost >= ROUNDING ? ghost : objective.divergence() == Divergence.REVERSE_KL ? ROUNDING : 0;
    }

    double divergence() {
        return divergence;
    }

    double crossEntropy() {
        return crossEntropy;
    }

    /** Returns the factor that turns the exponential of a token outside the kept ones into its gradient. */
    public double tailFactor() {
        return tailFactor;
    }

    public double keptGradient(int i) {
        return keptGradient[i];
    }

    /** Returns the term to add to the gradient at the target token's logit. */
    public double nextGradient() {
        return alpha - 1;
    }
}
