// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;


/**
 * Mean losses of one step, in nats per position.
 *
 * @param total        α·kl + (1 − α)·crossEntropy, the minimised mean
 * @param kl           the {@link Divergence} from the teacher, by default KL(teacher‖student)
 * @param crossEntropy cross-entropy of the target token
 * @param positions    number of positions that the means are over
 */
public record StepLoss(double total, double kl, double crossEntropy, long positions) implements java.io.Serializable {
}
