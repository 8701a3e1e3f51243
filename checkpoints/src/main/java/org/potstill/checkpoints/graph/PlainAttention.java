// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * Causal grouped-query attention with rotary embedding (Su et al. 2021, arXiv 2104.09864) in standard operators. It
 * computes in single precision: a half-precision model casts around it.
 *
 * <p>Inside, queries are {@code [B, keyValueHeads, group, T, D]}; keys and values have a group of one, which broadcasts.
 */
final class PlainAttention {
    private final OnnxGraph graph;
    private final Elementwise math;
    private final long heads;
    private final long keyValueHeads;
    private final long headDim;
    private final float scale;
    private final double cap;
    private final boolean half;
    private final String batchAndTime;

    /** @param batchAndTime [2], B and T */
    PlainAttention(OnnxGraph graph, CausalLmConfig config, Precision precision, String batchAndTime) {
        this.graph = graph;
        this.math = new Elementwise(graph, config.traits().activation(), false, Precision.FP32);
        this.heads = config.numAttentionHeads();
        this.keyValueHeads = config.numKeyValueHeads();
        this.headDim = config.headDim();
        this.scale = (float) config.attentionScale();
        this.cap = config.traits().softcaps().attention();
        this.half = precision == Precision.FP16;
        this.batchAndTime = batchAndTime;
    }

    /** Splits queries into heads, [B·T, heads·D] to [B, keyValueHeads, group, T, D]. */
    String queries(String x) {
        return split(x, heads / keyValueHeads);
    }

    /** Splits keys or values into heads, [B·T, keyValueHeads·D] to [B, keyValueHeads, 1, T, D]. */
    String keys(String x) {
        return split(x, 1);
    }

    private String split(String x, long group) {
        String shape = graph.node("Concat", List.of(batchAndTime, graph.longs(keyValueHeads, group, headDim)),
                attribute("axis", 0L));
        return graph.node("Transpose", List.of(graph.node("Reshape", List.of(cast(x, DataType.FLOAT), shape))),
                attribute("perm", new long[] {0, 2, 3, 1, 4}));
    }

    /** Adds a layer's rotary embedding, if it has one; the tables broadcast to queries and keys. */
    String rotate(String x, RotaryTables tables, int layer) {
        return tables.config().rotates(layer) ? rotate(x, tables.cos(layer), tables.sin(layer)) : x;
    }

    /**
     * Adds the rotary embedding, which rotates dimension j with j + D/2, as Hugging Face does.
     *
     * @param cos per position, [T, D/2] or a shape that broadcasts to queries and keys, like {@code sin}
     */
    private String rotate(String x, String cos, String sin) {
        long half = headDim / 2;
        String[] halves = graph.nodes("Split", List.of(x, graph.longs(half, half)), 2, attribute("axis", -1L));
        String first = node("Sub", node("Mul", halves[0], cos), node("Mul", halves[1], sin));
        String second = node("Add", node("Mul", halves[1], cos), node("Mul", halves[0], sin));
        return graph.node("Concat", List.of(first, second), attribute("axis", -1L));
    }

    /**
     * Returns a mask of the keys that have left a query's sliding window.
     *
     * @param query [T, 1], position of each query
     * @param key   [1, keys], position of each key
     */
    String gone(String query, String key, int window) {
        return node("LessOrEqual", key, node("Sub", query, graph.scalar((long) window)));
    }

    /** Turns a boolean mask into a term to add to scores: 0, or the lowest float where hidden. */
    String mask(String hidden) {
        return node("Where", hidden, graph.scalar(-Float.MAX_VALUE), graph.scalar(0f));
    }

    /**
     * Adds softmax(q · kᵀ · scale + mask) · v, with the scaled scores softcapped where the model has that.
     *
     * @param mask [T, keys] or a shape that broadcasts to scores
     * @return [B·T, heads·D]
     */
    String mix(String queries, String keys, String values, String mask) {
        String scores = node("MatMul", queries,
                graph.node("Transpose", List.of(keys), attribute("perm", new long[] {0, 1, 2, 4, 3})));
        scores = node("Add", math.softcapped(node("Mul", scores, graph.scalar(scale)), cap), mask);
        String weights = graph.node("Softmax", List.of(scores), attribute("axis", -1L));
        String mixed = graph.node("Transpose", List.of(node("MatMul", weights, values)),
                attribute("perm", new long[] {0, 3, 1, 2, 4}));
        return node("Reshape", cast(mixed, DataType.FLOAT16), graph.longs(-1, heads * headDim));
    }

    String cast(String x, DataType to) {
        return half ? graph.cast(x, to) : x;
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
