// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

/**
 * Baseline that keeps evenly spaced layers.
 *
 * @param layers number of layers kept
 * @param kl     KL(model ‖ these layers of it), in nats per token
 */
public record EvenlySpaced(int layers, double kl) {
}
