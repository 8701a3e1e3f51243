package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import java.util.stream.LongStream;
import onnx.Onnx.TensorProto.DataType;

/**
 * Attention of whole sequences for GPUs, over rows {@code [B·T, …]} that include padding: each sequence attends to itself
 * alone, and the causal mask keeps padding, which comes last, from reaching what counts.
 *
 * <p>ONNX Runtime's {@code GroupQueryAttention}, which {@link LlamaAttention} uses, spends most of its time there on rotary
 * embedding: it starts a block of a few threads for each head of each position. Here many heads share a block. For that,
 * the rows of the weights of queries and keys are reordered within each head, so that neighbouring dimensions 2j and 2j + 1
 * turn together and not j and j + D/2; then several heads side by side turn as one wide head. Scores are sums over
 * dimensions: the order does not matter to them, as long as queries and keys share it. And the weights of keys and values
 * are repeated for all the query heads that share them, which makes attention plain multi-head attention.
 */
final class GpuAttention implements LlamaLayers.Attention {
    /** Threads of a block, and so dimensions of a wide head. */
    private static final int MAX_WIDTH = 1024;

    private final OnnxGraph graph;
    private final CausalLmConfig config;
    private final String rowShape;
    private final String cos;
    private final String sin;
    private final String lastPositions;
    private final String totalLength;
    /** Heads in a wide head. */
    private final int together;

    /**
     * @param inputIds [B, T]
     * @param cosTable [positions, D/2], as {@code sinTable}
     */
    GpuAttention(OnnxGraph graph, CausalLmConfig config, String inputIds, String cosTable, String sinTable) {
        this.graph = graph;
        this.config = config;
        String batchAndTime = node("Shape", inputIds);
        this.rowShape = graph.node("Concat", List.of(batchAndTime, graph.longs(-1)), attribute("axis", 0L));
        int most = MAX_WIDTH / config.headDim();
        while (config.numAttentionHeads() % most != 0) {
            most--;
        }
        this.together = most;
        String batch = node("Gather", batchAndTime, graph.longs(0));
        String time = node("Gather", batchAndTime, graph.longs(1));
        this.cos = wide(node("Slice", cosTable, graph.longs(0), time, graph.longs(0)));
        this.sin = wide(node("Slice", sinTable, graph.longs(0), time, graph.longs(0)));
        boolean windows = config.variant().slidingWindow() > 0;
        // Every row counts as full: what padding attends to is computed and never looked at.
        this.lastPositions = windows ? int32(node("Expand", node("Sub", time, graph.longs(1)), batch)) : null;
        this.totalLength = windows ? int32(node("Squeeze", time)) : null;
    }

    /** Whether there are fused kernels for such heads; for others there is {@link LlamaAttention}. */
    static boolean supports(CausalLmConfig config) {
        return config.headDim() % 16 == 0 && config.headDim() <= MAX_WIDTH;
    }

    /** [T, D/2] for a head to what it is for a wide one. */
    private String wide(String table) {
        return together == 1 ? table : node("Tile", table, graph.longs(1, together));
    }

    @Override
    public LlamaLayers.Rows rows() {
        int heads = config.numAttentionHeads();
        int shared = config.numKeyValueHeads();
        return new LlamaLayers.Rows(rows("query_rows", heads, true), rows("key_rows", shared, true),
                shared == heads ? null : rows("value_rows", shared, false),
                config.headNorms() ? graph.longs("head_rows", LongStream.range(0, config.headDim()).map(this::neighbour).toArray()) : null);
    }

    /** [heads·D], of a weight for some heads the row for each dimension of each query head. */
    private String rows(String name, int heads, boolean turning) {
        long all = config.numAttentionHeads();
        long d = config.headDim();
        return graph.longs(name, LongStream.range(0, all * d)
                .map(i -> i / d * heads / all * d + (turning ? neighbour(i % d) : i % d)).toArray());
    }

    /** Which dimension of a head comes to this place: 0, D/2, 1, D/2 + 1, … */
    private long neighbour(long place) {
        return place / 2 + place % 2 * (config.headDim() / 2);
    }

    @Override
    public String of(String q, String k, String v, int layer) {
        long heads = config.numAttentionHeads();
        String queries = turned(q);
        String keys = turned(k);
        String values = node("Reshape", v, rowShape);
        int window = config.slidingWindow(layer);
        float scale = (float) (1 / Math.sqrt(config.headDim()));
        // MultiHeadAttention knows no window.
        String mixed = window > 0
                ? graph.contrib("GroupQueryAttention", List.of(queries, keys, values, "", "", lastPositions, totalLength), 3,
                        attribute("num_heads", heads), attribute("kv_num_heads", heads), attribute("scale", scale),
                        attribute("local_window_size", (long) window))
                : graph.contrib("MultiHeadAttention", List.of(queries, keys, values), 1, attribute("num_heads", heads),
                        attribute("unidirectional", 1L), attribute("scale", scale));
        return node("Reshape", mixed, graph.longs(-1, heads * config.headDim()));
    }

    /** [B·T, heads·D] to [B, T, heads·D], turned by position. */
    private String turned(String x) {
        return graph.contrib("RotaryEmbedding", List.of(node("Reshape", x, rowShape), graph.longs(0), cos, sin), 1,
                attribute("interleaved", 1L), attribute("num_heads", (long) config.numAttentionHeads() / together));
    }

    private String int32(String x) {
        return graph.node("Cast", List.of(x), attribute("to", (long) DataType.INT32.getNumber()));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
