package org.potstill.student;

/**
 * {@code α·KL(teacher‖student) + (1 − α)·CE(next token)} per position, at temperature 1.
 *
 * <p>The teacher's kept entries p and one ghost bucket for the rest, of mass q = 1 − Σp, stand against the student's
 * probabilities s of the same tokens and its mass s̄ of all others:
 * {@code KL = Σ pᵢ·(log pᵢ − log sᵢ) + q·(log q − log s̄)}, which is never negative (Hinton et al. 2015,
 * arXiv:1503.02531, for distillation; arXiv:2503.16870 for the ghost token). With
 * W = Σp + q its gradient by the logit is {@code W·sᵢ − pᵢ} for a kept token and {@code sⱼ·(W − q/s̄)} for another.
 *
 * <p>s̄ is summed from the other tokens' exponentials rather than taken as 1 − Σs, which would cancel; where they all
 * underflow it is taken as the smallest normal number, so that the loss stays finite.
 */
final class SoftTargetLoss {
    /** Of probabilities in single precision that sum to one. */
    private static final double ROUNDING = 1e-6;

    private final PackedBatch.Targets targets;
    private final double alpha;
    private final double weight;
    private final boolean gradient;
    /** Kept a row, and summed in order, so that the mean does not depend on threads. */
    private final double[] kl;
    private final double[] crossEntropy;

    /**
     * @param weight   of each counted row in the gradient
     * @param gradient whether to replace logits by their gradient
     */
    SoftTargetLoss(PackedBatch.Targets targets, double alpha, double weight, boolean gradient) {
        this.targets = targets;
        this.alpha = alpha;
        this.weight = weight;
        this.gradient = gradient;
        this.kl = new double[targets.counted().length];
        this.crossEntropy = new double[kl.length];
    }

    StepLoss mean(int positions) {
        double klSum = 0;
        double crossEntropySum = 0;
        for (int row = 0; row < kl.length; row++) {
            klSum += kl[row];
            crossEntropySum += crossEntropy[row];
        }
        double meanKl = klSum / positions;
        double meanCrossEntropy = crossEntropySum / positions;
        return new StepLoss(alpha * meanKl + (1 - alpha) * meanCrossEntropy, meanKl, meanCrossEntropy, positions);
    }

    /** Rows {@code [from, to)} of {@code logits}, the first of which is row {@code first} of the batch. */
    void rows(Matrix logits, int first, int from, int to) {
        Row row = Row.of(logits, logits.columns());
        for (int i = from; i < to; i++) {
            row.load(logits, i, 0, logits.columns());
            if (targets.counted()[first + i]) {
                position(row, logits.columns(), first + i);
            } else {
                row.fill(logits.columns(), 0);
            }
            if (gradient) {
                row.store(logits, i, 0, logits.columns());
            }
        }
    }

    private void position(Row z, int vocabSize, int row) {
        int begin = targets.keptOffsets()[row];
        int kept = targets.keptOffsets()[row + 1] - begin;
        int next = targets.nextIds()[row];
        double[] logit = new double[kept];
        double[] exp = new double[kept];

        double max = z.max(vocabSize);
        double nextLogit = z.get(next) - max;
        for (int i = 0; i < kept; i++) {
            logit[i] = z.get(targets.keptIds()[begin + i]) - max;
        }
        z.exp(vocabSize, max);
        double keptSum = 0;
        for (int i = 0; i < kept; i++) {
            int id = targets.keptIds()[begin + i];
            exp[i] = z.get(id);
            keptSum += exp[i];
            z.set(id, 0);
        }
        double tailSum = Math.max(z.sum(vocabSize), Float.MIN_NORMAL);
        double sum = tailSum + keptSum;
        double logSum = Math.log(sum);

        double mass = 0;
        double divergence = 0;
        for (int i = 0; i < kept; i++) {
            double p = targets.keptProbabilities()[begin + i];
            mass += p;
            divergence += p * (Math.log(p) - (logit[i] - logSum));
        }
        // Sampled targets, and a top of every token, have no bucket that could hold what rounding left over.
        double ghost = kept == vocabSize || 1 - mass < ROUNDING ? 0 : 1 - mass;
        if (ghost > 0) {
            divergence += ghost * (Math.log(ghost) - Math.log(tailSum / sum));
        }
        kl[row] = divergence;
        crossEntropy[row] = logSum - nextLogit;
        if (gradient) {
            double whole = mass + ghost;
            double pull = ghost > 0 ? ghost * sum / tailSum : 0;
            z.scale(vocabSize, weight * (alpha * (whole - pull) + 1 - alpha) / sum);
            for (int i = 0; i < kept; i++) {
                int id = targets.keptIds()[begin + i];
                double s = exp[i] / sum;
                z.set(id, weight * (alpha * (whole * s - targets.keptProbabilities()[begin + i]) + (1 - alpha) * s));
            }
            z.set(next, z.get(next) - weight * (1 - alpha));
        }
    }
}
