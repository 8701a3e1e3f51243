// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;

import org.potstill.kernels.Matrix;
import org.potstill.kernels.Row;
import org.potstill.student.batch.PackedBatch;

/**
 * The {@link Objective} over the rows of a block of logits, which are overwritten with their gradient. For the forward KL this is
 * the sparse gradient {@code P·softmax(z) − scatter(p)}; other divergences have the same structure.
 */
public final class SoftTargetLoss {
    private final PackedBatch.Targets targets;
    private final Objective objective;
    private final double alpha;
    private final double weight;
    private final boolean gradient;
    /** Divergence per row; summed in row order, so the mean does not depend on threads. */
    private final double[] divergence;
    private final double[] crossEntropy;

    /**
     * @param alpha    weight of the divergence in this step
     * @param gradient whether to overwrite the logits with the gradient of the mean over all unmasked rows
     */
    public SoftTargetLoss(PackedBatch.Targets targets, Objective objective, double alpha, boolean gradient) {
        this.targets = targets;
        this.objective = objective;
        this.alpha = alpha;
        this.weight = targets.count() == 0 ? 0 : 1.0 / targets.count();
        this.gradient = gradient;
        this.divergence = new double[targets.counted().length];
        this.crossEntropy = new double[divergence.length];
    }

    public PositionLoss position() {
        return new PositionLoss(objective, alpha);
    }

    public double weight() {
        return weight;
    }

    public void set(int row, PositionLoss loss) {
        divergence[row] = loss.divergence();
        crossEntropy[row] = loss.crossEntropy();
    }

    public StepLoss mean() {
        double divergenceSum = 0;
        double crossEntropySum = 0;
        for (int row = 0; row < divergence.length; row++) {
            divergenceSum += divergence[row];
            crossEntropySum += crossEntropy[row];
        }
        double meanDivergence = weight * divergenceSum;
        double meanCrossEntropy = weight * crossEntropySum;
        return new StepLoss(alpha * meanDivergence + (1 - alpha) * meanCrossEntropy, meanDivergence, meanCrossEntropy,
                targets.count());
    }

    /** Processes rows {@code [from, to)} of {@code logits}, whose row 0 is row {@code first} of the batch. */
    public void rows(Matrix logits, int first, int from, int to) {
        Row row = Row.of(logits, logits.columns());
        PositionLoss position = position();
        for (int i = from; i < to; i++) {
            row.load(logits, i, 0, logits.columns());
            if (targets.counted()[first + i]) {
                row(row, logits.columns(), first + i, position);
            } else {
                row.fill(0, logits.columns(), 0);
            }
            if (gradient) {
                row.store(logits, i, 0, logits.columns());
            }
        }
    }

    private void row(Row z, int vocabSize, int row, PositionLoss position) {
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
        for (int i = 0; i < kept; i++) {
            exp[i] = z.get(targets.keptIds()[begin + i]);
            z.set(targets.keptIds()[begin + i], 0);
        }
        position.compute(targets, row, vocabSize, logit, exp, z.sum(vocabSize), nextLogit);
        set(row, position);
        if (gradient) {
            z.scale(vocabSize, weight * position.tailFactor());
            for (int i = 0; i < kept; i++) {
                z.set(targets.keptIds()[begin + i], weight * position.keptGradient(i));
            }
            z.set(next, z.get(next) + weight * position.nextGradient());
        }
    }
}
