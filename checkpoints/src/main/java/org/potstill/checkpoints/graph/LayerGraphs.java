// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * A Llama-family decoder split into one ONNX graph per layer, in single precision, so that any selection of layers can
 * run: embedding, layers, head. All graphs refer to the weights that {@link ExternalWeights} writes.
 *
 * <p>Hidden states are packed, {@code [N, H]}; as in {@link LlamaGraph}, layers also take {@code input_ids [B, T]} and
 * {@code positions [N]}, which determine the rows of each sequence.
 */
public final class LayerGraphs {
    public static final String HIDDEN = "hidden";
    public static final String OUTPUT = "output";
    /** Range of hidden-state rows for the head: begin (inclusive) and end (exclusive), each {@code [1]}. */
    public static final String BEGIN = "begin";
    public static final String END = "end";
    /** Reference distributions, {@code [rows, V]}. */
    public static final String PROBABILITIES = "probabilities";
    /** Σ p · log q of each row, {@code [rows, 1]}, in nats. */
    public static final String CROSS = "cross";
    /** Squares of the feed-forward's inner activations, summed over positions, {@code [I]}. */
    public static final String NEURONS = "neurons";
    /** Norms of each query head's output, summed over positions, {@code [heads]}. */
    public static final String HEADS = "heads";
    /** Magnitudes of the outputs of the layer's two norms, summed over positions, {@code [H]}. */
    public static final String CHANNELS = "channels";

    private LayerGraphs() {
    }

    /** Builds the embedding: {@code input_ids [B, T]} and {@code positions [N]} to {@code output [N, H]}. */
    public static byte[] embedding(CausalLmConfig config) {
        Parts parts = new Parts(config);
        String packed = parts.graph.node("Gather",
                List.of(parts.graph.node("Reshape", List.of(parts.inputIds(), parts.graph.longs(-1))), parts.positions()));
        parts.graph.output(parts.layers.embed(packed), OUTPUT, DataType.FLOAT, "N", "H");
        return parts.graph.model();
    }

    /**
     * Builds a layer: {@code hidden [N, H]}, {@code input_ids} and {@code positions} to {@code output [N, H]}.
     *
     * @param measured whether to also output {@link #NEURONS}, {@link #HEADS} and {@link #CHANNELS}, the importance
     *                 scores for width pruning (Muralidharan et al. 2024, arXiv 2407.14679)
     */
    public static byte[] layer(CausalLmConfig config, int layer, boolean measured) {
        Parts parts = new Parts(config);
        OnnxGraph graph = parts.graph;
        String hidden = graph.input(HIDDEN, DataType.FLOAT, "N", "H");
        LlamaAttention attention = new LlamaAttention(graph, config, Precision.FP32, parts.inputIds(), parts.positions(),
                RotaryTables.stored(config, parts.layers), config.headDim() % 16 == 0);
        Importance importance = new Importance(graph, config);
        graph.output(parts.layers.layer(hidden, layer, attention, measured ? importance : LlamaLayers.Observer.NONE), OUTPUT,
                DataType.FLOAT, "N", "H");
        if (measured) {
            graph.output(importance.channels, CHANNELS, DataType.FLOAT, "H");
        }
        return graph.model();
    }

    /**
     * Builds the reference head: {@code hidden}, {@code begin} and {@code end} to the {@code probabilities} of the rows
     * and, as {@code cross}, their negative entropies.
     */
    public static byte[] reference(CausalLmConfig config) {
        Parts parts = new Parts(config);
        String logProbabilities = parts.logProbabilities();
        String probabilities = parts.graph.node("Exp", List.of(logProbabilities));
        parts.graph.output(probabilities, PROBABILITIES, DataType.FLOAT, "R", "V");
        parts.cross(probabilities, logProbabilities);
        return parts.graph.model();
    }

    /** Builds the compared head: {@code hidden}, {@code begin}, {@code end} and {@code probabilities} to {@code cross}. */
    public static byte[] divergence(CausalLmConfig config) {
        Parts parts = new Parts(config);
        parts.cross(parts.graph.input(PROBABILITIES, DataType.FLOAT, "R", "V"), parts.logProbabilities());
        return parts.graph.model();
    }

    private static final class Parts {
        private final OnnxGraph graph = new OnnxGraph("layer");
        private final LlamaLayers layers;

        Parts(CausalLmConfig config) {
            layers = new LlamaLayers(graph, config, LlamaGraph.Kernels.FUSED, Precision.FP32, false);
        }

        String inputIds() {
            return graph.input(LlamaGraph.INPUT_IDS, DataType.INT64, "B", "T");
        }

        String positions() {
            return graph.input(LlamaGraph.POSITIONS, DataType.INT64, "N");
        }

        String logProbabilities() {
            String hidden = graph.input(HIDDEN, DataType.FLOAT, "N", "H");
            String rows = graph.node("Slice", List.of(hidden, graph.input(BEGIN, DataType.INT64, "1"),
                    graph.input(END, DataType.INT64, "1"), graph.longs(0)));
            return graph.node("LogSoftmax", List.of(layers.logits(layers.finalNorm(rows))), attribute("axis", -1L));
        }

        void cross(String probabilities, String logProbabilities) {
            String product = graph.node("Mul", List.of(probabilities, logProbabilities));
            graph.output(graph.node("ReduceSum", List.of(product, graph.longs(-1)), attribute("keepdims", 1L)), CROSS,
                    DataType.FLOAT, "R", "1");
        }
    }

    /** Importance scores for width pruning, summed over positions. */
    private static final class Importance implements LlamaLayers.Observer {
        private final OnnxGraph graph;
        private final CausalLmConfig config;
        private String channels;

        Importance(OnnxGraph graph, CausalLmConfig config) {
            this.graph = graph;
            this.config = config;
        }

        @Override
        public void normed(String x) {
            String sums = sum(graph.node("Abs", List.of(x)), 0);
            channels = channels == null ? sums : graph.node("Add", List.of(channels, sums));
        }

        @Override
        public void attended(String x) {
            String byHead = graph.node("Reshape", List.of(x, graph.longs(-1, config.numAttentionHeads(), config.headDim())));
            String norms = graph.node("Sqrt", List.of(sum(graph.node("Mul", List.of(byHead, byHead)), -1)));
            graph.output(sum(norms, 0), HEADS, DataType.FLOAT, "heads");
        }

        @Override
        public void neurons(String x) {
            graph.output(sum(graph.node("Mul", List.of(x, x)), 0), NEURONS, DataType.FLOAT, "I");
        }

        private String sum(String x, long axis) {
            return graph.node("ReduceSum", List.of(x, graph.longs(axis)), attribute("keepdims", 0L));
        }
    }
}
