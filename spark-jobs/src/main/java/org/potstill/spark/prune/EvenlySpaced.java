package org.potstill.spark.prune;

/**
 * A model of evenly spaced layers, to compare with.
 *
 * @param layers kept
 * @param kl     KL(model ‖ these layers of it), in nats per token
 */
public record EvenlySpaced(int layers, double kl) {
}
