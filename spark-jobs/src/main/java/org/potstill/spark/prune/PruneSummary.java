package org.potstill.spark.prune;

import java.util.List;

/**
 * What pruning did.
 *
 * @param model         name of the model that was pruned
 * @param before        its shape
 * @param after         the shape of what is left
 * @param kept          the layers that are left, by their numbers in the model
 * @param removals      layers in the order of their removal
 * @param evenlySpaced  models of as many layers, evenly spaced
 * @param kl            KL(model ‖ what is left), in nats per token
 * @param positions     of the text that all this was measured on
 * @param seconds       spent, by runs that were stopped too
 * @param path          folder of what is left
 */
public record PruneSummary(String model, Shape before, Shape after, List<Integer> kept, List<Removal> removals,
        List<EvenlySpaced> evenlySpaced, double kl, long positions, double seconds, String path) {
    /** Sizes of a model. */
    public record Shape(long parameters, int layers, int hiddenSize, int intermediateSize, int heads, int kvHeads) {
    }
}
