// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints;

import java.nio.file.Path;
import java.util.Map;
import org.potstill.checkpoints.graph.CachedLlamaGraph;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/**
 * A causal language model on disk, whatever its format: the source of a teacher's graph, tokenizer and fingerprint.
 * Thread-safe; closing it closes the files.
 */
public interface CausalLm extends AutoCloseable {
    int vocabSize();

    int maxPositionEmbeddings();

    /** Returns the number of weights. */
    long parameters();

    /** Returns the size of the files that store the weights, in bytes. */
    long storedBytes();

    /** Returns the number format of most stored weights, such as {@code Q4_1} or {@code F32}; empty if unknown. */
    default String storedPrecision() {
        return "";
    }

    /** Returns the definition of the model's tokenizer. */
    TokenizerDefinition tokenizer();

    /** Returns a sentence about how the model is read that the user should see; empty if there is none. */
    default String warning() {
        return "";
    }

    /**
     * Returns the SHA-256, in hex, of all that decides what the model computes: a file, or a folder's weights and
     * configuration.
     */
    String fingerprint();

    /**
     * Checks, before any work is done, that the model can run in a precision.
     *
     * @throws org.potstill.errors.UserException if it cannot
     */
    default void requirePrecision(Precision precision) {
    }

    /** A run of a graph with the {@link LlamaGraph.Ending#CHANNEL_MAXIMA} ending on text typical for the model. */
    interface Calibration {
        /**
         * Runs the graph.
         *
         * @return each output, by name
         */
        Map<String, float[]> channelMaxima(OnnxModel model);
    }

    /**
     * Returns the forward pass with the inputs and outputs of {@link LlamaGraph}, whatever the model; its weights are
     * written below {@code scratch} unless already there.
     *
     * @param calibration called only for {@link Precision#INT8}, if the weights are not there yet
     */
    OnnxModel onnx(LlamaGraph.Ending ending, Precision precision, Calibration calibration, Path scratch);

    /**
     * Returns the forward pass with the inputs and outputs of {@link CachedLlamaGraph}, in single precision, for
     * generating text; its weights are written below {@code scratch} unless already there.
     *
     * @throws org.potstill.errors.UserException if the graph has no key/value cache
     */
    OnnxModel cached(Path scratch);

    @Override
    void close();
}
