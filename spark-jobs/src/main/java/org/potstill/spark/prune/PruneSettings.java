// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.pruning.Cuts;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;

/**
 * Target sizes of pruning; 0 keeps a size unchanged.
 *
 * @param path              output folder
 * @param layers            layers to keep
 * @param share             share of the parameters to keep by removing layers; 1 if not set
 * @param intermediateSize  neurons to keep in each feed-forward
 * @param kvHeads           groups of heads to keep in each layer
 * @param hiddenSize        channels of the residual stream to keep
 * @param calibrationTokens positions of the corpus to measure on
 * @param batchTokens       positions per forward pass
 * @param sequenceLength    positions per sequence
 * @param seed              seed for drawing those positions
 */
record PruneSettings(String path, int layers, double share, int intermediateSize, int kvHeads, int hiddenSize, int calibrationTokens,
        int batchTokens, int sequenceLength, long seed) {
    static PruneSettings of(Settings settings) {
        PruneSettings read = new PruneSettings(settings.required("prune.path"), settings.integer("prune.layers", 0, 1 << 10),
                settings.real("prune.parameters", 0.01, 1), settings.integer("prune.intermediate-size", 0, 1 << 20),
                settings.integer("prune.kv-heads", 0, 1 << 10), settings.integer("prune.hidden-size", 0, 1 << 17),
                settings.integer("prune.calibration-tokens", 1, 1 << 24), settings.integer("batch-tokens", 1, 1 << 24),
                settings.integer("sequence-length", 2, 1 << 20), settings.seed());
        if (read.layers > 0 && read.share < 1) {
            throw JobErrors.badValue("prune.parameters", "prune.layers says how many layers to keep already: set one of the two");
        }
        if (read.layers == 0 && read.share == 1 && !read.cutsWidth()) {
            throw PruneErrors.nothingToPrune();
        }
        return read;
    }

    boolean cutsWidth() {
        return intermediateSize > 0 || kvHeads > 0 || hiddenSize > 0;
    }

    /** Rejects sizes larger than the model's. */
    void requireWithin(CausalLmConfig model) {
        requireWithin("prune.layers", layers, model.numHiddenLayers());
        requireWithin("prune.intermediate-size", intermediateSize, model.intermediateSize());
        requireWithin("prune.kv-heads", kvHeads, model.numKeyValueHeads());
        requireWithin("prune.hidden-size", hiddenSize, model.hiddenSize());
    }

    private static void requireWithin(String key, int wanted, int there) {
        if (wanted > there) {
            throw JobErrors.badValue(key, "the model has " + there);
        }
    }

    static int orAll(int wanted, int there) {
        return wanted == 0 ? there : wanted;
    }

    /** Returns the number of layers to keep in a model whose width is already cut. */
    int layersToKeep(CausalLmConfig model, Cuts width) {
        if (share == 1) {
            return orAll(layers, model.numHiddenLayers());
        }
        double limit = share * LlamaTensors.parameters(model);
        for (int kept = model.numHiddenLayers(); kept > 0; kept--) {
            if (LlamaTensors.parameters(width.withLayers(first(kept)).apply(model)) <= limit) {
                return kept;
            }
        }
        throw JobErrors.badValue("prune.parameters", "one layer and the embedding table are "
                + LlamaTensors.parameters(width.withLayers(first(1)).apply(model)) + " of the model's "
                + LlamaTensors.parameters(model) + " parameters already: prune the hidden size, too, or a larger share");
    }

    /** Returns the shape of the pruned model, which does not depend on the choice of its parts. */
    CausalLmConfig shape(CausalLmConfig model) {
        requireWithin(model);
        int[][] neurons = new int[model.numHiddenLayers()][];
        Arrays.fill(neurons, first(orAll(intermediateSize, model.intermediateSize())));
        int[][] groups = new int[model.numHiddenLayers()][];
        Arrays.fill(groups, first(orAll(kvHeads, model.numKeyValueHeads())));
        Cuts width = new Cuts(first(model.numHiddenLayers()), first(orAll(hiddenSize, model.hiddenSize())), neurons, groups);
        return width.withLayers(first(layersToKeep(model, width))).apply(model);
    }

    private static int[] first(int count) {
        return java.util.stream.IntStream.range(0, count).toArray();
    }

    /**
     * Returns what a folder must match for this run to resume from it or to reuse its result.
     *
     * @param model     fingerprint of the model to prune
     * @param sequences fingerprint of the calibration sequences
     */
    ObjectNode identity(String model, String sequences) {
        return HadoopFolder.JSON.createObjectNode().put("model", model).put(PruneFolder.CALIBRATION, sequences)
                .put("prune.layers", layers).put("prune.parameters", share).put("prune.intermediate-size", intermediateSize)
                .put("prune.kv-heads", kvHeads).put("prune.hidden-size", hiddenSize).put("prune.calibration-tokens", calibrationTokens)
                .put("batch-tokens", batchTokens).put("sequence-length", sequenceLength).put("seed", String.valueOf(seed));
    }
}
