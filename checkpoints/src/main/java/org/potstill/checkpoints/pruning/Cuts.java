// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.pruning;

import java.io.Serializable;
import java.util.Arrays;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * The parts of a decoder that a smaller one keeps, as ascending indices into the original.
 *
 * @param layers   layers of the original
 * @param channels channels of the residual stream
 * @param neurons  feed-forward neurons in each layer of the original; equally many in all
 * @param groups   key/value heads, with the query heads that share them, in each layer of the original; equally many in
 *                 all
 */
public record Cuts(int[] layers, int[] channels, int[][] neurons, int[][] groups) implements Serializable {
    public Cuts {
        if (layers.length == 0 || channels.length == 0 || Arrays.stream(neurons).anyMatch(kept -> kept.length != neurons[0].length)
                || Arrays.stream(groups).anyMatch(kept -> kept.length != groups[0].length)) {
            throw new IllegalArgumentException("layers of unequal width, or nothing left");
        }
    }

    /** Returns cuts that keep the whole model. */
    public static Cuts none(CausalLmConfig config) {
        if (config.traits().experts().count() > 0) {
            throw UnsupportedErrors.prunedExperts(config.variant().family());
        }
        int layers = config.numHiddenLayers();
        int[][] neurons = new int[layers][];
        int[][] groups = new int[layers][];
        Arrays.fill(neurons, range(config.intermediateSize()));
        Arrays.fill(groups, range(config.numKeyValueHeads()));
        return new Cuts(range(layers), range(config.hiddenSize()), neurons, groups);
    }

    public Cuts withLayers(int[] kept) {
        return new Cuts(kept, channels, neurons, groups);
    }

    /** Returns the shape of a model after the cuts. */
    public CausalLmConfig apply(CausalLmConfig config) {
        int perGroup = config.numAttentionHeads() / config.numKeyValueHeads();
        return new CausalLmConfig(config.vocabSize(), channels.length, neurons[0].length, layers.length, groups[0].length * perGroup,
                groups[0].length, config.headDim(), config.maxPositionEmbeddings(), config.rmsNormEps(), config.ropeTheta(),
                config.tieWordEmbeddings(), config.variant().ofLayers(layers));
    }

    /** Returns the indices of the largest values, ascending; ties by smaller index. */
    public static int[] largest(double[] values, int count) {
        return IntStream.range(0, values.length).boxed().sorted((a, b) -> Double.compare(values[b], values[a])).limit(count)
                .mapToInt(Integer::intValue).sorted().toArray();
    }

    private static int[] range(int count) {
        return IntStream.range(0, count).toArray();
    }
}
