// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * The forward pass of a Llama-family decoder with a key/value cache, for generating text, with the inputs and outputs
 * that Hugging Face Optimum gives such a graph. In single precision it uses standard operators only; in {@link
 * Precision#INT8}, matrix products are ONNX Runtime's own, and attention stays in single precision.
 *
 * <p>Inputs: {@code input_ids [B, T]}; {@code attention_mask [B, P + T]}, 0 for padding, on either side; {@code
 * position_ids [B, T]}; {@code past_key_values.i.key} and {@code .value [B, keyValueHeads, P, D]} for each layer.
 * Outputs: {@code logits [B, T, V]}; {@code present.i.key} and {@code .value [B, keyValueHeads, P + T, D]}, which become
 * the next inputs.
 */
public final class CachedLlamaGraph implements LlamaLayers.Attention {
    public static final String ATTENTION_MASK = "attention_mask";
    public static final String POSITION_IDS = "position_ids";
    private static final String BATCH = "batch_size";
    private static final String TIME = "sequence_length";
    private static final String PAST = "past_sequence_length";
    private static final String TOTAL = PAST + " + " + TIME;

    private final CausalLmConfig config;
    private final OnnxGraph graph = new OnnxGraph("llama");
    private final String batchAndTime;
    private final PlainAttention attention;
    private final RotaryTables tables;
    private final String mask;
    private final String slidingMask;

    private CachedLlamaGraph(CausalLmConfig config) {
        this.config = config;
        String inputIds = graph.input(LlamaGraph.INPUT_IDS, DataType.INT64, BATCH, TIME);
        String attentionMask = graph.input(ATTENTION_MASK, DataType.INT64, BATCH, TOTAL);
        String positionIds = graph.input(POSITION_IDS, DataType.INT64, BATCH, TIME);
        batchAndTime = node("Shape", inputIds);
        attention = new PlainAttention(graph, config, Precision.FP32, batchAndTime);

        // [B, 1, 1, T, D/2]
        String positions = graph.cast(node("Unsqueeze", positionIds, graph.longs(1, 2, 4)), DataType.FLOAT);
        String angles = node("Mul", positions, graph.floats("rope.frequencies", config.rotaryFrequencies()));
        String local = config.hasLocalFrequencies()
                ? node("Mul", positions, graph.floats("rope.local_frequencies", config.localFrequencies())) : null;
        tables = new RotaryTables(config, scaled(node("Cos", angles)), scaled(node("Sin", angles)),
                local == null ? null : node("Cos", local), local == null ? null : node("Sin", local));

        String time = graph.node("Gather", List.of(batchAndTime, graph.scalar(1)));
        String total = graph.node("Gather", List.of(node("Shape", attentionMask), graph.scalar(1)));
        String query = node("Unsqueeze", node("Range", node("Sub", total, time), total, graph.scalar(1)), graph.longs(1));
        String key = node("Unsqueeze", node("Range", graph.scalar(0), total, graph.scalar(1)), graph.longs(0));
        // [B, 1, 1, 1, P + T]
        String padding = node("Unsqueeze", node("Equal", attentionMask, graph.scalar(0)), graph.longs(1, 2, 3));
        String hidden = node("Or", padding, node("Less", query, key));
        mask = attention.mask(hidden);
        int window = config.variant().slidingWindow();
        slidingMask = window > 0 ? attention.mask(node("Or", hidden, attention.gone(query, key, window))) : null;
    }

    /** Returns a serialised ONNX model in single precision whose weights are the file that {@link ExternalWeights} writes. */
    public static byte[] build(CausalLmConfig config) {
        return build(config, Precision.FP32);
    }

    /** Returns a serialised ONNX model in FP32 or INT8 whose weights are the file that {@link ExternalWeights} writes. */
    public static byte[] build(CausalLmConfig config, Precision precision) {
        return build(config, precision, WeightsLayout.of(config, precision));
    }

    /** Returns a serialised ONNX model in INT8, for export, whose weights are laid out by {@link WeightsLayout#int8Export}. */
    public static byte[] buildInt8(CausalLmConfig config) {
        return build(config, Precision.INT8, WeightsLayout.int8Export(config));
    }

    private static byte[] build(CausalLmConfig config, Precision precision, WeightsLayout weights) {
        CachedLlamaGraph cached = new CachedLlamaGraph(config);
        OnnxGraph graph = cached.graph;
        LlamaLayers layers = new LlamaLayers(graph, config, LlamaGraph.Kernels.PLAIN, precision, false, weights);
        String packedIds = cached.node("Reshape", LlamaGraph.INPUT_IDS, graph.longs(-1));
        String logits = layers.logits(layers.hidden(packedIds, cached));
        String shape = graph.node("Concat", List.of(cached.batchAndTime, graph.longs(config.vocabSize())), attribute("axis", 0L));
        graph.output(cached.node("Reshape", logits, shape), LlamaGraph.LOGITS, DataType.FLOAT, BATCH, TIME,
                Integer.toString(config.vocabSize()));
        // Like Optimum: programs that ignore names take the first output for the logits.
        graph.lastOutputFirst();
        return precision == Precision.INT8 ? graph.model() : graph.standardModel();
    }

    @Override
    public String attend(String q, String k, String v, int layer) {
        String keys = remembered(attention.rotate(attention.keys(k), tables, layer), layer, "key");
        String values = remembered(attention.keys(v), layer, "value");
        return attention.mix(attention.rotate(attention.queries(q), tables, layer), keys, values,
                config.slidingWindow(layer) > 0 ? slidingMask : mask);
    }

    /** Multiplies cosines or sines by the rotary embedding's factor, if it has one. */
    private String scaled(String table) {
        double factor = config.traits().rotary().factor();
        if (factor == 1) {
            return table;
        }
        float[] frequencies = config.rotaryFrequencies();
        float[] factors = new float[frequencies.length];
        for (int j = 0; j < factors.length; j++) {
            factors[j] = frequencies[j] == 0 ? 1 : (float) factor;
        }
        return node("Mul", table, graph.floats("rope.factors", factors));
    }

    /** Appends new keys or values to the past ones; returns [B, keyValueHeads, 1, P + T, D]. */
    private String remembered(String now, int layer, String kind) {
        String[] shape = {BATCH, Integer.toString(config.numKeyValueHeads()), PAST, Integer.toString(config.headDim())};
        String past = graph.input("past_key_values." + layer + "." + kind, DataType.FLOAT, shape);
        String all = graph.node("Concat", List.of(node("Unsqueeze", past, graph.longs(2)), now), attribute("axis", 3L));
        shape[2] = TOTAL;
        graph.output(node("Squeeze", all, graph.longs(2)), "present." + layer + "." + kind, DataType.FLOAT, shape);
        return all;
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
