package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * Causal grouped-query attention with rotary embedding (Su et al. 2021, arXiv 2104.09864), in two versions that tests
 * compare: spelled out in standard operators, and as ONNX Runtime's {@code GroupQueryAttention}.
 *
 * <p>Queries come as {@code [B·T, heads·D]}, keys and values as {@code [B·T, keyValueHeads·D]}; the result is
 * {@code [B·T, heads·D]}.
 */
final class LlamaAttention {
    private final OnnxGraph graph;
    private final long heads;
    private final long keyValueHeads;
    private final long headDim;
    private final int slidingWindow;

    // What all layers share; set by prepare.
    private String batchAndTime;
    private String cos;
    private String sin;
    private String mask;
    private String slidingMask;
    private String lastPositions;
    private String totalLength;

    LlamaAttention(CausalLmConfig config, OnnxGraph graph) {
        this.graph = graph;
        this.heads = config.numAttentionHeads();
        this.keyValueHeads = config.numKeyValueHeads();
        this.headDim = config.headDim();
        this.slidingWindow = config.variant().slidingWindow();
    }

    void preparePlain(String inputIds, String cosTable, String sinTable) {
        batchAndTime = graph.node("Shape", List.of(inputIds));
        String time = graph.node("Gather", List.of(batchAndTime, graph.scalar(1)), attribute("axis", 0L));
        String range = graph.node("Range", List.of(graph.scalar(0), time, graph.scalar(1)));
        cos = graph.node("Gather", List.of(cosTable, range));
        sin = graph.node("Gather", List.of(sinTable, range));
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

    /** @param window how many keys a query sees, its own included; 0 for all before it */
    String plain(String q, String k, String v, int window) {
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
        return graph.node("Reshape", List.of(mixed, graph.longs(-1, heads * headDim)));
    }

    /** [B·T, keyValueHeads·group·D] to [B, keyValueHeads, group, T, D] */
    private String split(String x, long group) {
        String shape = graph.node("Concat", List.of(batchAndTime, graph.longs(keyValueHeads, group, headDim)),
                attribute("axis", 0L));
        return graph.node("Transpose", List.of(graph.node("Reshape", List.of(x, shape))),
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

    void prepareFused(String inputIds, String cosTable, String sinTable) {
        cos = cosTable;
        sin = sinTable;
        batchAndTime = graph.node("Shape", List.of(inputIds));
        String batch = graph.node("Gather", List.of(batchAndTime, graph.longs(0)));
        String time = graph.node("Gather", List.of(batchAndTime, graph.scalar(1)));
        totalLength = int32(time);
        // Every row counts as full: what padding attends to is computed and never looked at.
        lastPositions = int32(graph.node("Expand",
                List.of(graph.node("Sub", List.of(time, graph.scalar(1))), batch)));
    }

    /** @param window as for {@link #plain} */
    String fused(String q, String k, String v, int window) {
        String attended = graph.contrib("GroupQueryAttention",
                List.of(batched(q, heads), batched(k, keyValueHeads), batched(v, keyValueHeads), "", "",
                        lastPositions, totalLength, cos, sin),
                3,
                attribute("num_heads", heads), attribute("kv_num_heads", keyValueHeads),
                attribute("do_rotary", 1L), attribute("rotary_interleaved", 0L),
                attribute("scale", (float) (1 / Math.sqrt(headDim))),
                attribute("local_window_size", window > 0 ? (long) window : -1L));
        return graph.node("Reshape", List.of(attended, graph.longs(-1, heads * headDim)));
    }

    /** [B·T, n·D] to [B, T, n·D] */
    private String batched(String x, long n) {
        String shape = graph.node("Concat", List.of(batchAndTime, graph.longs(n * headDim)), attribute("axis", 0L));
        return graph.node("Reshape", List.of(x, shape));
    }

    private String int32(String x) {
        return graph.node("Cast", List.of(x), attribute("to", (long) DataType.INT32.getNumber()));
    }

    private String mul(String a, String b) {
        return graph.node("Mul", List.of(a, b));
    }
}
