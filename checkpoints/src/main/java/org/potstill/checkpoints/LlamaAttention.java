package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * Causal grouped-query attention with rotary embedding (Su et al. 2021, arXiv 2104.09864), in two versions that tests
 * compare: spelled out in standard operators, and as ONNX Runtime's {@code GroupQueryAttention}.
 *
 * <p>Queries come packed, {@code [N, heads·D]}, keys and values as {@code [N, keyValueHeads·D]}; the result is
 * {@code [N, heads·D]}. In between they are spread to {@code [B, T]}: each sequence attends to itself alone.
 */
final class LlamaAttention {
    private final OnnxGraph graph;
    private final long heads;
    private final long keyValueHeads;
    private final long headDim;
    private final int slidingWindow;
    private final Precision precision;

    // What all layers share; set by prepare.
    private boolean fused;
    private String batchAndTime;
    private String positions;
    private String spread;
    private String cos;
    private String sin;
    private String mask;
    private String slidingMask;
    private String lastPositions;
    private String totalLength;

    LlamaAttention(CausalLmConfig config, Precision precision, OnnxGraph graph) {
        this.graph = graph;
        this.heads = config.numAttentionHeads();
        this.keyValueHeads = config.numKeyValueHeads();
        this.headDim = config.headDim();
        this.slidingWindow = config.variant().slidingWindow();
        this.precision = precision;
    }

    /**
     * @param inputIds  [B, T]
     * @param positions [N], where in {@code b·T + t} each packed row belongs
     * @param cosTable  [positions, D/2], as {@code sinTable}
     */
    void prepare(String inputIds, String positions, String cosTable, String sinTable, boolean fused) {
        this.fused = fused;
        this.positions = positions;
        this.batchAndTime = graph.node("Shape", List.of(inputIds));
        // The packed row of each place; padding borrows the first.
        String nowhere = graph.node("Expand", List.of(graph.scalar(0), graph.node("ReduceProd", List.of(batchAndTime))));
        String count = graph.node("Squeeze", List.of(graph.node("Shape", List.of(positions))));
        String packedRows = graph.node("Range", List.of(graph.scalar(0), count, graph.scalar(1)));
        this.spread = graph.node("ScatterElements", List.of(nowhere, positions, packedRows), attribute("axis", 0L));
        String time = graph.node("Gather", List.of(batchAndTime, graph.scalar(1)), attribute("axis", 0L));
        if (fused) {
            prepareFused(time, cosTable, sinTable);
        } else {
            preparePlain(time, cosTable, sinTable);
        }
    }

    /** @param window how many keys a query sees, its own included; 0 for all before it */
    String of(String q, String k, String v, int window) {
        String attended = fused ? fused(q, k, v, window) : plain(q, k, v, window);
        return graph.node("Gather", List.of(graph.node("Reshape", List.of(attended, graph.longs(-1, heads * headDim))), positions));
    }

    private void preparePlain(String time, String cosTable, String sinTable) {
        String range = graph.node("Range", List.of(graph.scalar(0), time, graph.scalar(1)));
        cos = cast(graph.node("Gather", List.of(cosTable, range)), DataType.FLOAT);
        sin = cast(graph.node("Gather", List.of(sinTable, range)), DataType.FLOAT);
        String query = graph.node("Unsqueeze", List.of(range, graph.longs(1)));
        String key = graph.node("Unsqueeze", List.of(range, graph.longs(0)));
        String future = graph.node("Less", List.of(query, key));
        mask = mask(future);
        if (slidingWindow > 0) {
            String gone = graph.node("LessOrEqual",
                    List.of(key, graph.node("Sub", List.of(query, graph.scalar((long) slidingWindow)))));
            slidingMask = mask(graph.node("Or", List.of(future, gone)));
        }
    }

    private String mask(String hidden) {
        return graph.node("Where", List.of(hidden, graph.scalar(-Float.MAX_VALUE), graph.scalar(0f)));
    }

    private String plain(String q, String k, String v, int window) {
        long group = heads / keyValueHeads;
        // [B, keyValueHeads, group, T, D]; keys and values have a group of one, which broadcasts.
        q = rotate(split(q, group));
        k = rotate(split(k, 1));
        v = split(v, 1);
        String scores = graph.node("MatMul",
                List.of(q, graph.node("Transpose", List.of(k), attribute("perm", new long[] {0, 1, 2, 4, 3}))));
        scores = graph.node("Mul", List.of(scores, graph.scalar((float) (1 / Math.sqrt(headDim)))));
        scores = graph.node("Add", List.of(scores, window > 0 ? slidingMask : mask));
        String weights = graph.node("Softmax", List.of(scores), attribute("axis", -1L));
        String mixed = graph.node("Transpose", List.of(graph.node("MatMul", List.of(weights, v))),
                attribute("perm", new long[] {0, 3, 1, 2, 4}));
        return cast(mixed, DataType.FLOAT16);
    }

    /** [N, keyValueHeads·group·D] to [B, keyValueHeads, group, T, D] */
    private String split(String x, long group) {
        String shape = graph.node("Concat", List.of(batchAndTime, graph.longs(keyValueHeads, group, headDim)),
                attribute("axis", 0L));
        return graph.node("Transpose", List.of(graph.node("Reshape", List.of(cast(spread(x), DataType.FLOAT), shape))),
                attribute("perm", new long[] {0, 2, 3, 1, 4}));
    }

    /** Turns dimension j together with j + D/2, as Hugging Face does. */
    private String rotate(String x) {
        long half = headDim / 2;
        String[] halves = graph.nodes("Split", List.of(x, graph.longs(half, half)), 2, attribute("axis", -1L));
        String first = graph.node("Sub", List.of(mul(halves[0], cos), mul(halves[1], sin)));
        String second = graph.node("Add", List.of(mul(halves[1], cos), mul(halves[0], sin)));
        return graph.node("Concat", List.of(first, second), attribute("axis", -1L));
    }

    private void prepareFused(String time, String cosTable, String sinTable) {
        cos = cosTable;
        sin = sinTable;
        String batch = graph.node("Gather", List.of(batchAndTime, graph.longs(0)));
        totalLength = int32(time);
        // Every row counts as full: what padding attends to is computed and never looked at.
        lastPositions = int32(graph.node("Expand",
                List.of(graph.node("Sub", List.of(time, graph.scalar(1))), batch)));
    }

    private String fused(String q, String k, String v, int window) {
        return graph.contrib("GroupQueryAttention",
                List.of(batched(q, heads), batched(k, keyValueHeads), batched(v, keyValueHeads), "", "",
                        lastPositions, totalLength, cos, sin),
                3,
                attribute("num_heads", heads), attribute("kv_num_heads", keyValueHeads),
                attribute("do_rotary", 1L), attribute("rotary_interleaved", 0L),
                attribute("scale", (float) (1 / Math.sqrt(headDim))),
                attribute("local_window_size", window > 0 ? (long) window : -1L));
    }

    /** [N, n·D] to [B, T, n·D] */
    private String batched(String x, long n) {
        String shape = graph.node("Concat", List.of(batchAndTime, graph.longs(n * headDim)), attribute("axis", 0L));
        return graph.node("Reshape", List.of(spread(x), shape));
    }

    private String spread(String x) {
        return graph.node("Gather", List.of(x, spread));
    }

    /** The reference computes in single precision: in a half-precision model, casts lie around it. */
    private String cast(String x, DataType to) {
        return precision == Precision.FP16 ? graph.node("Cast", List.of(x), attribute("to", (long) to.getNumber())) : x;
    }

    private String int32(String x) {
        return graph.node("Cast", List.of(x), attribute("to", (long) DataType.INT32.getNumber()));
    }

    private String mul(String a, String b) {
        return graph.node("Mul", List.of(a, b));
    }
}
