// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * Quality of a model's next-token predictions on a text.
 *
 * @param perplexity       exp of the mean −log p of the target token
 * @param perplexityRatio  perplexity divided by the teacher's
 * @param accuracy         share of positions whose most probable token is the target token
 * @param accuracyShare    accuracy divided by the teacher's
 * @param agreement        top-1 agreement: share of positions whose most probable token is the teacher's
 * @param agreementInFive  share of positions that have the teacher's most probable token among their five most probable
 * @param kl               mean KL(teacher‖model) over full distributions, in nats
 * @param calibrationError expected calibration error of the most probable token, from 0 to 1
 */
public record ModelScore(Estimate perplexity, Estimate perplexityRatio, Estimate accuracy, Estimate accuracyShare,
        Estimate agreement, Estimate agreementInFive, Estimate kl, Estimate calibrationError) {
}
