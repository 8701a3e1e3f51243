package org.potstill.student;

/**
 * Mean losses of one step, in nats per position.
 *
 * @param total α·kl + (1 − α)·crossEntropy, the mean that is minimised
 * @param kl    the {@link Divergence} from the teacher, KL(teacher‖student) unless another is chosen
 * @param crossEntropy of the token that really came next
 * @param positions    that the means are over
 */
public record StepLoss(double total, double kl, double crossEntropy, long positions) implements java.io.Serializable {
}
