// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * Decoding of many texts inside one graph, for GPUs: a loop whose first step reads the texts and whose later steps read the token that
 * the step before chose. Logits, keys and values stay on the device and are forgotten at the end.
 *
 * <p>Inputs: {@code input_ids [B, T]}, the texts, padded on the right; {@code last_indices [B]}, INT64, the index of each text's last
 * token; {@code ended [B]}, INT32, 1 for rows that hold no text; {@code steps []} and {@code capacity []}, INT64, the number of
 * steps and of positions for keys and values, at least {@code T + steps − 1}; {@code stop_ids [S]}, INT32. {@code points [steps, B]} in
 * double precision, unless greedy, see {@link TokenChoice}.
 *
 * <p>Outputs: {@code tokens [R, B]}, INT32, and {@code check [R, B]}, which is not finite if a logit is not; R, at most {@code steps},
 * is the first step after which all texts have reached a stop id. What follows a stop id in a column means nothing.
 */
public final class DecodingLoop implements LlamaLayers.Attention {
    public static final String INPUT_IDS = LlamaGraph.INPUT_IDS;
    public static final String LAST_INDICES = "last_indices";
    public static final String ENDED = "ended";
    public static final String STEPS = "steps";
    public static final String CAPACITY = "capacity";
    public static final String STOP_IDS = "stop_ids";
    public static final String POINTS = LlamaGraph.POINTS;
    public static final String TOKENS = WritingGraph.TOKENS;
    public static final String CHECK = WritingGraph.CHECK;

    private final CausalLmConfig config;
    private final OnnxGraph graph = new OnnxGraph("decoding");
    private final OnnxGraph step = graph.inner("step");
    private final DataType real;
    private final GroupQuery query;
    private final String zeros;
    private final String batchAndTime;
    private final String positions;
    private final String total;
    private final List<String> past = new ArrayList<>();
    private final List<String> present = new ArrayList<>();

    private DecodingLoop(CausalLmConfig config, Precision precision, TokenChoice choice) {
        this.config = config;
        real = precision == Precision.FP16 ? DataType.FLOAT16 : DataType.FLOAT;
        LlamaLayers layers = new LlamaLayers(step, config, LlamaGraph.Kernels.of(precision), precision, false);
        query = new GroupQuery(config, RotaryTables.stored(config, layers));

        graph.input(INPUT_IDS, DataType.INT64, "B", "T");
        graph.input(LAST_INDICES, DataType.INT64, "B");
        graph.input(ENDED, DataType.INT32, "B");
        graph.input(STEPS, DataType.INT64);
        graph.input(CAPACITY, DataType.INT64);
        graph.input(STOP_IDS, DataType.INT32, "S");
        String points = choice.greedy() ? null : graph.input(POINTS, DataType.DOUBLE, "steps", "B");
        String time = graph.node("Slice", List.of(graph.node("Shape", List.of(INPUT_IDS)), graph.longs(1), graph.longs(2)));
        zeros = zeros();

        String iteration = step.input("iteration", DataType.INT64);
        step.input("going", DataType.BOOL);
        String ids = step.input("ids", DataType.INT64, "B", "t");
        String last = step.input("last", DataType.INT64, "B");
        positions = step.input("positions", DataType.INT32, "B");
        String ended = step.input("already_ended", DataType.BOOL, "B");
        batchAndTime = step.node("Shape", List.of(ids));
        // Rows that have ended go on, but not beyond the tables of the rotary embedding.
        total = step.cast(step.node("Min", List.of(step.node("Add", List.of(time, iteration)), step.longs(config.maxPositionEmbeddings()))),
                DataType.INT32);
        String hidden = layers.hidden(step.node("Reshape", List.of(ids, step.longs(-1))), this);
        String logits = layers.logits(step.node("Gather", List.of(hidden, rowsOf(last))));
        String point = points == null ? null : step.node("Unsqueeze", List.of(step.node("Gather", List.of(points, iteration)), step.longs(1)));
        String tokens = choice.add(step, logits, point, config.vocabSize());
        String check = step.node("ReduceSum", List.of(logits, step.longs(-1)), attribute("keepdims", 0L));
        String nowEnded = step.node("Or", List.of(ended, isStop(tokens)));

        step.output(step.node("Less", List.of(reduced("ReduceMin", nowEnded, 0), step.cast(step.scalar(1), DataType.INT32))), "goes_on",
                DataType.BOOL);
        step.output(step.node("Unsqueeze", List.of(step.cast(tokens, DataType.INT64), step.longs(1))), "next_ids", DataType.INT64, "B", "1");
        step.output(step.node("Sub", List.of(last, last)), "next_last", DataType.INT64, "B");
        step.output(step.node("Min", List.of(step.node("Add", List.of(positions, step.ints(1))), step.ints(config.maxPositionEmbeddings() - 1))),
                "next_positions", DataType.INT32, "B");
        step.output(nowEnded, "now_ended", DataType.BOOL, "B");
        present.forEach(each -> step.output(each, real, cacheShape()));
        step.output(tokens, "step_tokens", DataType.INT32, "B");
        step.output(check, "step_check", DataType.FLOAT, "B");

        List<String> inputs = new ArrayList<>(List.of(STEPS, graph.cast(graph.scalar(1), DataType.BOOL), INPUT_IDS, LAST_INDICES,
                graph.cast(LAST_INDICES, DataType.INT32), graph.cast(ENDED, DataType.BOOL)));
        past.forEach(each -> inputs.add(zeros));
        String[] outputs = graph.nodes("Loop", inputs, inputs.size(), attribute("body", step));
        graph.output(outputs[outputs.length - 2], TOKENS, DataType.INT32, "R", "B");
        graph.output(outputs[outputs.length - 1], CHECK, DataType.FLOAT, "R", "B");
    }

    /** Returns whether the fused kernel exists for this width of heads. */
    public static boolean supports(CausalLmConfig config) {
        return config.headDim() % 16 == 0 && config.headDim() <= 256;
    }

    /**
     * Returns a serialised ONNX model whose weights are the file that {@link ExternalWeights} writes.
     *
     * @param precision FP16 or, on CPUs, FP32
     */
    public static byte[] build(CausalLmConfig config, Precision precision, TokenChoice choice) {
        return new DecodingLoop(config, precision, choice).graph.model();
    }

    private String[] cacheShape() {
        return new String[] {"B", Integer.toString(config.numKeyValueHeads()), "C", Integer.toString(config.headDim())};
    }

    /** Returns empty keys or values, [B, keyValueHeads, capacity, D]. */
    private String zeros() {
        String batch = graph.node("Slice", List.of(graph.node("Shape", List.of(INPUT_IDS)), graph.longs(0), graph.longs(1)));
        String shape = graph.node("Concat", List.of(batch, graph.longs(config.numKeyValueHeads()),
                graph.node("Reshape", List.of(CAPACITY, graph.longs(1))), graph.longs(config.headDim())), attribute("axis", 0L));
        String zero = graph.node("ConstantOfShape", List.of(shape));
        return real == DataType.FLOAT ? zero : graph.cast(zero, real);
    }

    /** Returns the rows of the packed activations that hold the tokens of these indices, [B]. */
    private String rowsOf(String indices) {
        String rows = step.node("Range", List.of(step.scalar(0), step.node("Gather", List.of(batchAndTime, step.scalar(0))), step.scalar(1)));
        return step.node("Add", List.of(step.node("Mul", List.of(rows, step.node("Gather", List.of(batchAndTime, step.scalar(1))))), indices));
    }

    private String isStop(String tokens) {
        return step.cast(reduced("ReduceMax", step.node("Equal", List.of(step.node("Unsqueeze", List.of(tokens, step.longs(1))), STOP_IDS)), 1),
                DataType.BOOL);
    }

    private String reduced(String op, String truths, long axis) {
        return step.node(op, List.of(step.cast(truths, DataType.INT32)), attribute("axes", new long[] {axis}), attribute("keepdims", 0L));
    }

    @Override
    public String attend(String q, String k, String v, int layer) {
        List<String> before = WritingGraph.KINDS.stream().map(kind -> step.input(WritingGraph.past(kind, layer), real, cacheShape())).toList();
        List<String> after = WritingGraph.KINDS.stream().map(kind -> WritingGraph.present(kind, layer)).toList();
        past.addAll(before);
        present.addAll(after);
        return query.extend(step, layer, batchAndTime, q, k, v, before, after, positions, total);
    }
}
