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

    public TrainingOptions {
        require(alpha >= 0 && alpha <= 1, "alpha is " + alpha + ", not between 0 and 1");
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
    }

    private static void require(boolean condition, String cause) {
        if (!condition) {
            throw StudentErrors.badOptions(cause);
        }
    }
}
