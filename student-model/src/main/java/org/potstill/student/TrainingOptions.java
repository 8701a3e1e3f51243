package org.potstill.student;

/**
 * How the student learns.
 *
 * @param alpha        weight of the distillation loss; 1 − alpha is the cross-entropy's
 * @param learningRate peak rate
 * @param warmupSteps  linear warm-up from 0
 * @param totalSteps   the cosine reaches {@code minLearningRate} here
 * @param minLearningRate floor of the cosine
 * @param weightDecay  decoupled, on matrices only, not on norms
 * @param beta1        Adam's first moment
 * @param beta2        Adam's second moment
 * @param epsilon      Adam's
 * @param maxGradientNorm global L2 clip; 0 for none
 * @param optimizer    ADAMW, or SGD (plain, no decay) as the reference for averaging
 */
public record TrainingOptions(
        double alpha,
        double learningRate,
        int warmupSteps,
        int totalSteps,
        double minLearningRate,
        double weightDecay,
        double beta1,
        double beta2,
        double epsilon,
        double maxGradientNorm,
        Optimizer optimizer) implements java.io.Serializable {
    public enum Optimizer { ADAMW, SGD }
}
