// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.Traits;

/**
 * Attention of whole sequences for GPUs, over rows {@code [B·T, …]} that include padding: each sequence attends to itself
 * alone, and padding comes last, so the causal mask hides it from real positions.
 *
 * <p>ONNX Runtime's {@code GroupQueryAttention}, which {@link LlamaAttention} uses, spends most of its time on a GPU on
 * the rotary embedding: it launches a block of a few threads for each head of each position. Here many heads share a
 * block. To this end the rows of the query and key weights are reordered within each head, so that the embedding rotates
 * neighbouring dimensions 2j and 2j + 1 instead of j and j + D/2; several adjacent heads then rotate as one wide head.
 * Scores are sums over dimensions, so they do not depend on the order as long as queries and keys share it. The weights
 * of keys and values are repeated for each query head that shares them, which turns grouped-query attention into
 * multi-head attention.
 */
final class GpuAttention implements LlamaLayers.Attention {
    /** Threads per block, hence dimensions per wide head. */
    private static final int MAX_WIDTH = 1024;

    private final OnnxGraph graph;
    private final CausalLmConfig config;
    private final String rowShape;
    private final RotaryTables tables;
    private final String lastPositions;
    private final String totalLength;
    /** Heads per wide head. */
    private final int together;

    /**
     * @param inputIds [B, T]
     * @param stored   tables [positions, D/2]
     */
    GpuAttention(OnnxGraph graph, CausalLmConfig config, String inputIds, RotaryTables stored) {
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
        this.tables = stored.map(table -> wide(node("Slice", table, graph.longs(0), time, graph.longs(0))));
        boolean windows = config.variant().slidingWindow() > 0 || config.traits().softcaps().attention() > 0;
        // All rows count as full: the outputs for padding are computed and ignored.
        this.lastPositions = windows ? graph.cast(node("Expand", node("Sub", time, graph.longs(1)), batch), DataType.INT32) : null;
        this.totalLength = windows ? graph.cast(node("Squeeze", time), DataType.INT32) : null;
    }

    /** Returns whether fused kernels exist for this head width; other models use {@link LlamaAttention}. */
    static boolean supports(CausalLmConfig config) {
        return config.headDim() % 16 == 0 && config.headDim() <= MAX_WIDTH;
    }

    /** Tiles a table of angles, [T, D/2], to the width of a wide head. */
    private String wide(String table) {
        return together == 1 ? table : node("Tile", table, graph.longs(1, together));
    }

    @Override
    public LlamaLayers.Rows rows() {
        int heads = config.numAttentionHeads();
        int shared = config.numKeyValueHeads();
        return new LlamaLayers.Rows(rows("query_rows", heads, true), rows("key_rows", shared, true),
                shared == heads ? null : rows("value_rows", shared, false),
                config.traits().headNorms() == Traits.HeadNorms.EACH ? graph.longs("head_rows", LongStream.range(0, config.headDim()).map(this::neighbour).toArray()) : null);
    }

    /** Returns [heads·D]: for each dimension of each query head its row in a weight for {@code heads} heads. */
    private String rows(String name, int heads, boolean turning) {
        long all = config.numAttentionHeads();
        long d = config.headDim();
        return graph.longs(name, LongStream.range(0, all * d)
                .map(i -> i / d * heads / all * d + (turning ? neighbour(i % d) : i % d)).toArray());
    }

    /** Returns the dimension of a head that comes to this place: 0, D/2, 1, D/2 + 1, … */
    private long neighbour(long place) {
        return place / 2 + place % 2 * (config.headDim() / 2);
    }

    @Override
    public String attend(String q, String k, String v, int layer) {
        long heads = config.numAttentionHeads();
        String queries = turned(q, layer);
        String keys = turned(k, layer);
        String values = node("Reshape", v, rowShape);
        int window = config.slidingWindow(layer);
        float scale = (float) config.attentionScale();
        float cap = (float) config.traits().softcaps().attention();
        List<OnnxGraph.Attribute> attributes = new ArrayList<>(List.of(attribute("num_heads", heads), attribute("kv_num_heads", heads),
                attribute("scale", scale), attribute("local_window_size", window > 0 ? (long) window : -1L)));
        if (cap > 0) {
            attributes.add(attribute("softcap", cap));
        }
        // MultiHeadAttention supports neither sliding windows nor softcaps.
        String mixed = window > 0 || cap > 0
                ? graph.contrib("GroupQueryAttention", List.of(queries, keys, values, "", "", lastPositions, totalLength), 3,
                        attributes.toArray(OnnxGraph.Attribute[]::new))
                : graph.contrib("MultiHeadAttention", List.of(queries, keys, values), 1, attribute("num_heads", heads),
                        attribute("unidirectional", 1L), attribute("scale", scale));
        return node("Reshape", mixed, graph.longs(-1, heads * config.headDim()));
    }

    /** Adds a layer's rotary embedding, if it has one, [B·T, heads·D] to [B, T, heads·D]. */
    private String turned(String x, int layer) {
        String rows = node("Reshape", x, rowShape);
        return !config.rotates(layer) ? rows : graph.contrib("RotaryEmbedding", List.of(rows, graph.longs(0), tables.cos(layer), tables.sin(layer)), 1,
                attribute("interleaved", 1L), attribute("num_heads", (long) config.numAttentionHeads() / together));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
