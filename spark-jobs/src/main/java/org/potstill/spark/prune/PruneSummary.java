// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import java.util.List;

/**
 * Summary of pruning.
 *
 * @param model         name of the model that was pruned
 * @param before        shape before pruning
 * @param after         shape after pruning
 * @param kept          indices of the kept layers in the original model
 * @param removals      layers in the order of their removal
 * @param evenlySpaced  baselines of evenly spaced layers
 * @param kl            KL(original ‖ pruned model), in nats per token
 * @param positions     positions of the calibration text
 * @param seconds       time spent, including interrupted runs
 * @param path          folder of the pruned model
 */
public record PruneSummary(String model, Shape before, Shape after, List<Integer> kept, List<Removal> removals,
        List<EvenlySpaced> evenlySpaced, double kl, long positions, double seconds, String path) {
    /** Sizes of a model. */
    public record Shape(long parameters, int layers, int hiddenSize, int intermediateSize, int heads, int kvHeads) {
    }
}
