// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import java.util.Map;

/**
 * Removal of one layer.
 *
 * @param layer      index of the layer in the original model
 * @param kl         KL(model ‖ model without this and all previously removed layers), in nats per token
 * @param seconds    time to find it
 * @param candidates KL for each candidate layer of the round, by index
 */
public record Removal(int layer, double kl, double seconds, Map<Integer, Double> candidates) {
}
