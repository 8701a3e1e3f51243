package org.potstill.student;

/**
 * Mean losses of one step, in nats per position.
 *
 * @param total α·kl + (1 − α)·crossEntropy
 * @param kl    KL(teacher‖student) over the kept entries and the ghost bucket
 * @param crossEntropy of the token that really came next
 * @param positions    that the means are over
 */
public record StepLoss(double total, double kl, double crossEntropy, long positions) implements java.io.Serializable {
}
