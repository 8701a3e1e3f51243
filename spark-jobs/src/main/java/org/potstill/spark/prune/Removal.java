package org.potstill.spark.prune;

import java.util.Map;

/**
 * A layer that was removed.
 *
 * @param layer      its number in the model
 * @param kl         KL(model ‖ model without it and those removed before), in nats per token
 * @param seconds    that it took to find
 * @param candidates what the removal of each layer that was left would have come to
 */
public record Removal(int layer, double kl, double seconds, Map<Integer, Double> candidates) {
}
