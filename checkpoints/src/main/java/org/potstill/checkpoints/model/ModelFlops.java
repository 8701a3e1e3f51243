// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.io.Serializable;
import java.util.stream.IntStream;

/**
 * The floating-point operations that a model needs, whatever an implementation adds to them: 2 for each weight of a matrix that a
 * token is multiplied with and, for attention, 4 for each channel of the query heads and each key that the token sees (Chowdhery et
 * al. 2022, PaLM, arXiv 2204.02311, appendix B, which also counts the keys behind a token; a causal model needs none of these).
 * Lookups, norms, biases and activations are left out.
 *
 * @param weights  number of weights that a token is multiplied with: the head's, but not the embedding table's; of the experts,
 *                 those that one token uses
 * @param channels number of channels of all query heads of a layer
 * @param full     layers in which a token sees all before it
 * @param sliding  layers with a window
 * @param window   number of keys, its own included, that a token sees in these
 */
public record ModelFlops(long weights, long channels, int full, int sliding, int window) implements Serializable {
    /** Forward and backward pass: the gradients of inputs and of weights each cost as much as the forward pass. */
    private static final int PASSES = 3;

    public static ModelFlops of(CausalLmConfig config) {
        long hidden = config.hiddenSize();
        long channels = (long) config.numAttentionHeads() * config.headDim();
        long attention = 2 * hidden * channels + 2 * hidden * config.numKeyValueHeads() * config.headDim();
        Traits.Experts experts = config.traits().experts();
        long feedForward = 3 * hidden * config.intermediateSize() * Math.max(1, experts.perToken()) + hidden * experts.count();
        int layers = config.numHiddenLayers();
        int sliding = (int) IntStream.range(0, layers).filter(layer -> config.slidingWindow(layer) > 0).count();
        return new ModelFlops(layers * (attention + feedForward) + hidden * config.vocabSize(), channels, layers - sliding, sliding,
                config.variant().slidingWindow());
    }

    /** Returns the operations of the forward pass over one sequence. */
    public double forward(int tokens) {
        return 2.0 * weights * tokens + 4.0 * channels * (full * seen(tokens, tokens) + sliding * seen(tokens, window));
    }

    /** Returns the operations of a training step on one sequence; what gradient checkpointing computes again is not among them. */
    public double training(int tokens) {
        return PASSES * forward(tokens);
    }

    /** Returns the number of pairs of a token and a key that it sees. */
    private static double seen(int tokens, int window) {
        double first = Math.min(tokens, window);
        return first * (first + 1) / 2 + (tokens - first) * window;
    }
}
