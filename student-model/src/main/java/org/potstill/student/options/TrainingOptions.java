// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.options;

import org.potstill.student.errors.StudentErrors;
import org.potstill.student.loss.Objective;
/**
 * Hyperparameters of training.
 *
 * @param objective    the loss
 * @param learningRate peak rate
 * @param warmupSteps  linear warm-up from 0
 * @param totalSteps   the cosine reaches {@code minLearningRate} here
 * @param minLearningRate floor of the cosine
 * @param weightDecay  decoupled, on matrices only, not on norms
 * @param beta1        Adam's first moment
 * @param beta2        Adam's second moment
 * @param epsilon      Adam's epsilon
 * @param maxGradientNorm global L2 clip; 0 for none
 * @param optimizer    ADAMW, or SGD (plain, no decay) as the reference for averaging
 * @param gradientCheckpointing whether layers keep only their inputs and recompute the rest in the backward pass: a third
 *                     more work, a fraction of the memory
 * @param precision    precision of matrix products in linear layers
 */
public record TrainingOptions(
        Objective objective,
        double learningRate,
        int warmupSteps,
        int totalSteps,
        double minLearningRate,
        double weightDecay,
        double beta1,
        double beta2,
        double epsilon,
        double maxGradientNorm,
        Optimizer optimizer,
        boolean gradientCheckpointing,
        MatrixPrecision precision) implements java.io.Serializable {
    public enum Optimizer { ADAMW, SGD }

    /** Options of a student used only for inference. */
    public static final TrainingOptions NONE =
            new TrainingOptions(Objective.of(1), 0, 0, 1, 0, 0, 0, 0, 1, 0, Optimizer.SGD, false,
                    MatrixPrecision.FP32);

    public TrainingOptions {
        require(objective != null, "there is no objective");
        require(learningRate >= 0 && Double.isFinite(learningRate), "the learning rate is " + learningRate);
        require(minLearningRate >= 0 && minLearningRate <= learningRate,
                "the minimal learning rate " + minLearningRate + " is not between 0 and the peak of " + learningRate);
        require(warmupSteps >= 0 && totalSteps >= 0, "warm-up of " + warmupSteps + " in " + totalSteps + " steps");
        require(weightDecay >= 0 && Double.isFinite(weightDecay), "the weight decay is " + weightDecay);
        require(beta1 >= 0 && beta1 < 1 && beta2 >= 0 && beta2 < 1,
                "beta1 is " + beta1 + " and beta2 is " + beta2 + ", not both in [0, 1)");
        require(epsilon > 0 && Double.isFinite(epsilon), "epsilon is " + epsilon);
        require(maxGradientNorm >= 0 && Double.isFinite(maxGradientNorm),
                "the maximal gradient norm is " + maxGradientNorm);
        require(optimizer != null, "there is no optimizer");
        require(precision != null, "there is no precision");
    }

    /** Returns the same options with another precision. */
    public TrainingOptions with(MatrixPrecision other) {
        return new TrainingOptions(objective, learningRate, warmupSteps, totalSteps, minLearningRate, weightDecay, beta1, beta2, epsilon,
                maxGradientNorm, optimizer, gradientCheckpointing, other);
    }

    public WarmupCosine schedule() {
        return new WarmupCosine(learningRate, minLearningRate, warmupSteps, totalSteps);
    }

    public double rateAt(int step) {
        return schedule().valueAt(step, 0);
    }

    private static void require(boolean condition, String cause) {
        if (!condition) {
            throw StudentErrors.badOptions(cause);
        }
    }
}
