// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * Causal grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245) with rotary embedding, forward and backward. The queries
 * that share a key head are stacked, {@code [B·keyHeads, group·T, D]}, so that each product is one batch of matrices.
 *
 * <p>The probabilities are kept for the backward pass: {@code B · heads · T²} numbers per layer.
 */
final class AttentionGraph {
    private final Operators ops;
    private final CausalLmConfig config;
    private final BatchShape shape;
    private final Tables global;
    private final Tables local;
    private final long heads;
    private final long keyHeads;
    private final long group;

    /** The rotary embedding's tables, {@code [positions, D/2]}, and the negated sines. */
    private record Tables(String cos, String sin, String negatedSin) {
    }

    /**
     * @param tables cosines and sines and, in models with local frequencies, those of local layers
     */
    AttentionGraph(Operators ops, CausalLmConfig config, BatchShape shape, List<String> tables) {
        this.ops = ops;
        this.config = config;
        this.shape = shape;
        this.heads = config.numAttentionHeads();
        this.keyHeads = config.numKeyValueHeads();
        this.group = heads / keyHeads;
        this.global = new Tables(tables.get(0), tables.get(1), ops.node("Neg", tables.get(1)));
        this.local = tables.size() < 4 ? null : new Tables(tables.get(2), tables.get(3), ops.node("Neg", tables.get(3)));
    }

    /**
     * An attention that has been computed.
     *
     * @param output        {@code [N, heads·D]}
     * @param mixed         the same as {@code [B·keyHeads, group·T, D]}
     * @param scores        after the softcap
     * @param probabilities {@code [B·keyHeads, group·T, T]}
     */
    record Attended(String output, String mixed, String queries, String keys, String values, Operators.Softcapped scores,
            String probabilities) {
    }

    /** @param qkv {@code [N, (heads + 2·keyHeads)·D]}, before the rotary embedding */
    Attended forward(String qkv, int layer) {
        double cap = config.traits().softcaps().attention();
        String[] turnedAndValues = ops.split(shape.heads(qkv, heads + 2 * keyHeads), 1, heads + keyHeads, keyHeads);
        String turned = rotated(turnedAndValues[0], layer, false);
        String[] queriesAndKeys = ops.split(turned, 1, heads, keyHeads);
        String queries = shape.grouped(queriesAndKeys[0], group);
        String keys = shape.grouped(queriesAndKeys[1], 1);
        String values = shape.grouped(turnedAndValues[1], 1);
        Operators.Softcapped scores = ops.softcap(ops.product(queries, false, keys, true, config.attentionScale()), cap);
        String masked = ops.add(shape.squares(scores.value()), shape.mask(config.slidingWindow(layer)));
        String softmax = ops.graph().node("Softmax", List.of(masked), attribute("axis", -1L));
        String probabilities = shape.groupedSquares(softmax, group);
        String mixed = ops.node("MatMul", probabilities, values);
        return new Attended(shape.merged(shape.ungrouped(mixed, heads), heads), mixed, queries, keys, values, scores, probabilities);
    }

    /** Returns the gradient with respect to {@code qkv}. The sum over dP·P is that over dOut·out (Dao et al. 2022, arXiv 2205.14135). */
    String backward(String dOutput, Attended x, int layer) {
        String dMixed = shape.grouped(shape.heads(dOutput, heads), group);
        String sums = ops.rowSums(ops.mul(dMixed, x.mixed));
        String dProbabilities = ops.product(dMixed, false, x.values, true, 1);
        String dScores = ops.softcapBackward(ops.mul(x.probabilities, ops.sub(dProbabilities, sums)), x.scores);
        String dValues = ops.product(x.probabilities, true, dMixed, false, 1);
        String dQueries = ops.product(dScores, false, x.keys, false, config.attentionScale());
        String dKeys = ops.product(dScores, true, x.queries, false, config.attentionScale());
        String dTurned = ops.concat(1, shape.ungrouped(dQueries, heads), shape.ungrouped(dKeys, keyHeads));
        String all = ops.concat(1, rotated(dTurned, layer, true), shape.ungrouped(dValues, keyHeads));
        return shape.merged(all, heads + 2 * keyHeads);
    }

    /** Adds a layer's rotary embedding, or its transpose, to {@code [B, n, T, D]}, if it has one. */
    private String rotated(String x, int layer, boolean backward) {
        if (!config.rotates(layer)) {
            return x;
        }
        Tables tables = config.isLocal(layer) ? local : global;
        return ops.graph().contrib("RotaryEmbedding", List.of(x, ops.graph().longs(0), tables.cos, backward ? tables.negatedSin : tables.sin), 1);
    }
}
