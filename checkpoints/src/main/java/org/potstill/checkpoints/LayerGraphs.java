package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * A Llama-family decoder cut into one ONNX graph per layer, in single precision, so that its layers can be run in any
 * selection: embedding, layers, head. All refer to the weights that {@link ExternalWeights} writes.
 *
 * <p>Hidden states are packed, {@code [N, H]}; layers also read {@code input_ids [B, T]} and {@code positions [N]}, as
 * {@link LlamaGraph} does, to know which rows attend to which.
 */
public final class LayerGraphs {
    public static final String HIDDEN = "hidden";
    public static final String OUTPUT = "output";
    /** Rows of hidden states that the head looks at: begin and end, each {@code [1]}. */
    public static final String BEGIN = "begin";
    public static final String END = "end";
    /** The distributions that others are compared with, {@code [rows, V]}. */
    public static final String PROBABILITIES = "probabilities";
    /** Σ p · log q of each row, {@code [rows, 1]}, in nats. */
    public static final String CROSS = "cross";
    /** Sums over positions: squares of the feed-forward's inner activations {@code [I]}. */
    public static final String NEURONS = "neurons";
    /** Sums over positions: norms of what each query head gives {@code [heads]}. */
    public static final String HEADS = "heads";
    /** Sums over positions: magnitudes of what the layer's two norms give {@code [H]}. */
    public static final String CHANNELS = "channels";

    private LayerGraphs() {
    }

    /** {@code input_ids [B, T]} and {@code positions [N]} to {@code output [N, H]}. */
    public static byte[] embedding(CausalLmConfig config) {
        Parts parts = new Parts(config);
        String packed = parts.graph.node("Gather",
                List.of(parts.graph.node("Reshape", List.of(parts.inputIds(), parts.graph.longs(-1))), parts.positions()));
        parts.graph.output(parts.layers.embed(packed), OUTPUT, DataType.FLOAT, "N", "H");
        return parts.graph.model();
    }

    /**
     * {@code hidden [N, H]}, {@code input_ids} and {@code positions} to {@code output [N, H]}.
     *
     * @param measured whether the graph also gives {@link #NEURONS}, {@link #HEADS} and {@link #CHANNELS}: the importance of
     *                 what could be cut from the layer's width (Muralidharan et al. 2024, arXiv 2407.14679)
     */
    public static byte[] layer(CausalLmConfig config, int layer, boolean measured) {
        Parts parts = new Parts(config);
        OnnxGraph graph = parts.graph;
        String hidden = graph.input(HIDDEN, DataType.FLOAT, "N", "H");
        LlamaAttention attention = new LlamaAttention(graph, config, Precision.FP32, parts.inputIds(), parts.positions(),
                parts.layers.weight(WeightsLayout.ROPE_COS), parts.layers.weight(WeightsLayout.ROPE_SIN),
                config.headDim() % 16 == 0);
        Importance importance = new Importance(graph, config);
        graph.output(parts.layers.layer(hidden, layer, attention, measured ? importance : LlamaLayers.Observer.NONE), OUTPUT,
                DataType.FLOAT, "N", "H");
        if (measured) {
            graph.output(importance.channels, CHANNELS, DataType.FLOAT, "H");
        }
        return graph.model();
    }

    /** {@code hidden}, {@code begin} and {@code end} to the rows' {@code probabilities} and, of themselves, {@code cross}. */
    public static byte[] reference(CausalLmConfig config) {
        Parts parts = new Parts(config);
        String logProbabilities = parts.logProbabilities();
        String probabilities = parts.graph.node("Exp", List.of(logProbabilities));
        parts.graph.output(probabilities, PROBABILITIES, DataType.FLOAT, "R", "V");
        parts.cross(probabilities, logProbabilities);
        return parts.graph.model();
    }

    /** {@code hidden}, {@code begin}, {@code end} and {@code probabilities} to {@code cross}. */
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

    /** Adds the sums over positions that width pruning goes by. */
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
