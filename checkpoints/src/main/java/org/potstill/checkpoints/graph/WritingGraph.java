// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * The forward pass of a Llama-family decoder for writing many texts at a time, each with its own length, up to the choice
 * of the next tokens: logits never leave the graph. Keys and values are in one buffer per layer, which the graph extends
 * in place if a {@code past} input and its {@code present} output are the same memory.
 *
 * <p>Inputs: {@code input_ids [B, T]}, the next tokens of each text, where B or T is 1; {@code last_positions [B]}, the
 * position of the last of them in its text; {@code longest [1]}, the number of tokens of the longest text so far; {@code
 * rows [R]}, the flat indices {@code b·T + t} of the positions whose next tokens are wanted, at least one, as some of the
 * engine's operators divide by their number; {@code past_key.i} and {@code
 * past_value.i [B, keyValueHeads, S, D]} for each layer, of which the first tokens of each row are in use. {@code points
 * [R, 1]} in double precision, unless greedy, see {@link TokenChoice}.
 *
 * <p>Outputs: {@code tokens [R]}; {@code check [R]}, which is not finite if a logit is not; {@code present_key.i} and
 * {@code present_value.i}.
 */
public final class WritingGraph implements LlamaLayers.Attention {
    public static final String INPUT_IDS = LlamaGraph.INPUT_IDS;
    public static final String LAST_POSITIONS = "last_positions";
    public static final String LONGEST = "longest";
    public static final String ROWS = "rows";
    public static final String POINTS = LlamaGraph.POINTS;
    public static final String TOKENS = "tokens";
    public static final String CHECK = "check";
    public static final List<String> KINDS = List.of("key", "value");

    private final CausalLmConfig config;
    private final OnnxGraph graph = new OnnxGraph("writing");
    private final String batchAndTime;
    private final GroupQuery query;

    private WritingGraph(CausalLmConfig config, Precision precision, TokenChoice choice) {
        this.config = config;
        LlamaLayers layers = new LlamaLayers(graph, config, LlamaGraph.Kernels.FUSED, precision, false);
        graph.input(INPUT_IDS, DataType.INT64, "B", "T");
        graph.input(LAST_POSITIONS, DataType.INT32, "B");
        graph.input(LONGEST, DataType.INT32, "1");
        graph.input(ROWS, DataType.INT64, "R");
        batchAndTime = graph.node("Shape", List.of(INPUT_IDS));
        query = new GroupQuery(config, RotaryTables.stored(config, layers));
        String hidden = layers.hidden(graph.node("Reshape", List.of(INPUT_IDS, graph.longs(-1))), this);
        String logits = layers.logits(graph.node("Gather", List.of(hidden, ROWS)));
        String points = choice.greedy() ? null : graph.input(POINTS, DataType.DOUBLE, "R", "1");
        graph.output(choice.add(graph, logits, points, config.vocabSize()), TOKENS, DataType.INT32, "R");
        // Cheaper than a test of each logit: a sum is finite only if all its terms are.
        graph.output(graph.node("ReduceSum", List.of(logits, graph.longs(-1)), attribute("keepdims", 0L)), CHECK, DataType.FLOAT, "R");
    }

    /** Returns whether the fused kernel, the only one that extends a buffer in place, exists for this width of heads. */
    public static boolean supports(CausalLmConfig config) {
        return config.headDim() % 16 == 0;
    }

    /**
     * Returns a serialised ONNX model whose weights are the file that {@link ExternalWeights} writes.
     *
     * @param precision FP32 or INT8
     */
    public static byte[] build(CausalLmConfig config, Precision precision, TokenChoice choice) {
        return new WritingGraph(config, precision, choice).graph.model();
    }

    public static String past(String kind, int layer) {
        return "past_" + kind + "." + layer;
    }

    public static String present(String kind, int layer) {
        return "present_" + kind + "." + layer;
    }

    @Override
    public String attend(String q, String k, String v, int layer) {
        String[] shape = {"B", Integer.toString(config.numKeyValueHeads()), "S", Integer.toString(config.headDim())};
        List<String> past = KINDS.stream().map(kind -> graph.input(past(kind, layer), DataType.FLOAT, shape)).toList();
        List<String> present = KINDS.stream().map(kind -> present(kind, layer)).toList();
        String attended = query.extend(graph, layer, batchAndTime, q, k, v, past, present, LAST_POSITIONS, LONGEST);
        present.forEach(each -> graph.output(each, DataType.FLOAT, shape));
        return attended;
    }
}
