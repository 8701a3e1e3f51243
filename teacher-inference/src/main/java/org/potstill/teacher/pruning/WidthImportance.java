// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.pruning;

import java.io.Serializable;
import java.util.Arrays;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * The importance of each part of a decoder's width on some text, by the magnitude of its activations (Minitron:
 * Muralidharan et al. 2024, arXiv 2407.14679), summed over positions.
 *
 * @param neurons  {@code [layers][I]}: squares of the feed-forward's inner activations
 * @param groups   {@code [layers][key/value heads]}: norms of the outputs of each group's query heads
 * @param channels {@code [H]}: magnitudes of the outputs of each layer's two norms, summed over layers
 */
public record WidthImportance(double[][] neurons, double[][] groups, double[] channels) implements Serializable {
    /**
     * Measures the importance on one batch.
     *
     * @param sequences token ids, scored in one pass
     */
    public static WidthImportance measure(LayerwiseModel model, List<int[]> sequences) {
        CausalLmConfig config = model.config();
        int layers = config.numHiddenLayers();
        WidthImportance sums = new WidthImportance(new double[layers][config.intermediateSize()],
                new double[layers][config.numKeyValueHeads()], new double[config.hiddenSize()]);
        TokenBatch batch = new TokenBatch(sequences, sequences.stream().mapToInt(s -> s.length - 1).max().orElseThrow());
        return model.run(() -> {
            sums.add(model, batch);
            return sums;
        });
    }

    private void add(LayerwiseModel model, TokenBatch batch) {
        LayerwiseModel.State state = model.embed(batch);
        for (int layer = 0; layer < neurons.length; layer++) {
            LayerwiseModel.Measured measured = model.measured(layer, batch, state);
            state.close();
            state = measured.state();
            add(neurons[layer], measured.neurons(), 1);
            add(groups[layer], measured.heads(), measured.heads().length / groups[layer].length);
            add(channels, measured.channels(), 1);
        }
        state.close();
    }

    private static void add(double[] sums, float[] values, int perSum) {
        for (int i = 0; i < values.length; i++) {
            sums[i / perSum] += values[i];
        }
    }

    /** Adds the scores of two parts of a text. */
    public WidthImportance plus(WidthImportance other) {
        return new WidthImportance(plus(neurons, other.neurons), plus(groups, other.groups), plus(channels, other.channels));
    }

    private static double[][] plus(double[][] a, double[][] b) {
        double[][] sums = new double[a.length][];
        Arrays.setAll(sums, i -> plus(a[i], b[i]));
        return sums;
    }

    private static double[] plus(double[] a, double[] b) {
        double[] sums = new double[a.length];
        Arrays.setAll(sums, i -> a[i] + b[i]);
        return sums;
    }
}
