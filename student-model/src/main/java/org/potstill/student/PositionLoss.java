package org.potstill.student;

/**
 * The loss of one position and its gradient by the logits, from what the student says of the tokens that the teacher kept
 * and, summed, of all others. Worked out in double precision whatever the decoder's numbers.
 *
 * <p>With the buckets b of kept tokens and perhaps the ghost, and v = {@link Divergence#slope}, the divergence's gradient is
 * {@code vᵢ − sᵢ·Σv} by a kept logit and {@code sⱼ·(v_ghost/s_ghost − Σv)} by another: all others share one factor. The
 * student's mass on them is a sum of its own rather than one minus the kept, which would cancel.
 */
final class PositionLoss {
    /** Of probabilities in single precision that sum to one. */
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
     * @param targets   holds the kept tokens of {@code row}
     * @param vocabSize where all tokens are kept there is no bucket of others
     * @param logits    of the kept tokens, less the row's maximum
     * @param exps      of those
     * @param tailSum   of the exponentials of all other tokens
     * @param next      logit of the token that came next, less the row's maximum
     */
    void compute(PackedBatch.Targets targets, int row, int vocabSize, double[] logits, double[] exps, double tailSum, double next) {
        int begin = targets.keptOffsets()[row];
        int kept = targets.keptOffsets()[row + 1] - begin;
        float[] p = targets.keptProbabilities();
        double mass = 0;
        double keptSum = 0;
        for (int i = 0; i < kept; i++) {
            mass += p[begin + i];
            keptSum += exps[i];
        }
        // Where all others underflow they are taken as the smallest normal number, so that the loss stays finite.
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
     * The teacher's mass on all other tokens. Sampled targets have none, only what rounding left over; the reverse KL,
     * which is infinite where the teacher has nothing, takes that much for granted.
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

    /** What another token's exponential is multiplied by. */
    double tailFactor() {
        return tailFactor;
    }

    double keptGradient(int i) {
        return keptGradient[i];
    }

    /** To be added to the gradient by the logit of the token that came next. */
    double nextGradient() {
        return alpha - 1;
    }
}
