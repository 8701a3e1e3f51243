// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.Traits;

/**
 * The parameters, or their gradients, as views of one flat vector. Query, key and value projections are adjacent there, as are
 * gate and up and the biases of each group, so each group is one matrix and needs one matrix product.
 *
 * @param embedTokens {@code [vocabSize, hiddenSize]}
 * @param blocks one per layer
 * @param norm  {@code [1, hiddenSize]}
 * @param head  {@code [vocabSize, hiddenSize]}; {@code embedTokens} itself if the two are tied
 * @param <T>   type of a matrix view
 */
public record Weights<T>(T embedTokens, List<Block<T>> blocks, T norm, T head) {
    /**
     * Parameters of one decoder layer; those that a model lacks are null.
     *
     * @param qkvProj {@code [(heads + 2·keyValueHeads)·headDim, hiddenSize]}
     * @param qkvBias {@code [1, (heads + 2·keyValueHeads)·headDim]}
     * @param oProj   {@code [hiddenSize, heads·headDim]}
     * @param oBias   {@code [1, hiddenSize]}
     * @param queryNorm {@code [1, headDim]}, as {@code keyNorm}, or of the width of all heads together
     * @param gateUpProj {@code [2·intermediateSize, hiddenSize]}
     * @param gateUpBias {@code [1, 2·intermediateSize]}
     * @param downProj {@code [hiddenSize, intermediateSize]}
     * @param downBias {@code [1, hiddenSize]}
     * @param attentionInputNorm {@code [1, hiddenSize]}, like the other norms of sublayers' inputs and outputs
     */
    public record Block<T>(T qkvProj, T qkvBias, T oProj, T oBias, T queryNorm, T keyNorm, T gateUpProj, T gateUpBias, T downProj,
            T downBias, T attentionInputNorm, T attentionOutputNorm, T feedForwardInputNorm, T feedForwardOutputNorm) {
    }

    /** Factory of a matrix view of part of the flat vector. */
    @FunctionalInterface
    public interface View<T> {
        T of(INDArray piece, int rows, int columns);
    }

    /** Returns the shape of each tensor by its Hugging Face name, in the order of the flat vector. */
    public static Map<String, long[]> shapes(CausalLmConfig c) {
        long hidden = c.hiddenSize();
        long queries = (long) c.numAttentionHeads() * c.headDim();
        long keys = (long) c.numKeyValueHeads() * c.headDim();
        long inner = c.intermediateSize();
        boolean mlpBias = c.variant().mlpBias();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(LlamaTensors.EMBEDDING, new long[] {c.vocabSize(), hidden});
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            matrix(shapes, i, hidden, Map.entry("self_attn.q_proj", queries), Map.entry("self_attn.k_proj", keys),
                    Map.entry("self_attn.v_proj", keys));
            bias(shapes, i, c.variant().attentionBias(), Map.entry("self_attn.q_proj", queries),
                    Map.entry("self_attn.k_proj", keys), Map.entry("self_attn.v_proj", keys));
            matrix(shapes, i, queries, Map.entry("self_attn.o_proj", hidden));
            bias(shapes, i, c.outputBias(), Map.entry("self_attn.o_proj", hidden));
            if (c.headNorms()) {
                shapes.put(LlamaTensors.layer(i, "self_attn.q_norm"), new long[] {isOfHeads(c) ? c.headDim() : queries});
                shapes.put(LlamaTensors.layer(i, "self_attn.k_norm"), new long[] {isOfHeads(c) ? c.headDim() : keys});
            }
            matrix(shapes, i, hidden, Map.entry("mlp.gate_proj", inner), Map.entry("mlp.up_proj", inner));
            bias(shapes, i, mlpBias, Map.entry("mlp.gate_proj", inner), Map.entry("mlp.up_proj", inner));
            matrix(shapes, i, inner, Map.entry("mlp.down_proj", hidden));
            bias(shapes, i, mlpBias, Map.entry("mlp.down_proj", hidden));
            Stream.of(LlamaTensors.attentionInputNorm(c, i), LlamaTensors.attentionOutputNorm(c, i), LlamaTensors.feedForwardInputNorm(c, i),
                    LlamaTensors.feedForwardOutputNorm(c, i)).filter(Objects::nonNull).forEach(norm -> shapes.put(norm, new long[] {hidden}));
        }
        shapes.put(LlamaTensors.FINAL_NORM, new long[] {hidden});
        if (!c.tieWordEmbeddings()) {
            shapes.put(LlamaTensors.HEAD, new long[] {c.vocabSize(), hidden});
        }
        return shapes;
    }

    /** Returns whether norms of queries and keys are those of single heads. */
    private static boolean isOfHeads(CausalLmConfig c) {
        return c.traits().headNorms() == Traits.HeadNorms.EACH;
    }

    @SafeVarargs
    private static void matrix(Map<String, long[]> shapes, int layer, long in, Map.Entry<String, Long>... outs) {
        for (Map.Entry<String, Long> out : outs) {
            shapes.put(LlamaTensors.layer(layer, out.getKey()), new long[] {out.getValue(), in});
        }
    }

    @SafeVarargs
    private static void bias(Map<String, long[]> shapes, int layer, boolean present, Map.Entry<String, Long>... outs) {
        for (Map.Entry<String, Long> out : outs) {
            if (present) {
                shapes.put(LlamaTensors.bias(LlamaTensors.layer(layer, out.getKey())), new long[] {out.getValue()});
            }
        }
    }

    public static long count(long[] shape) {
        long count = 1;
        for (long dimension : shape) {
            count *= dimension;
        }
        return count;
    }

    public static <T> Weights<T> of(CausalLmConfig c, INDArray flat, View<T> view) {
        Cursor<T> cursor = new Cursor<>(flat.reshape(flat.length()), view);
        int hidden = c.hiddenSize();
        int queries = c.numAttentionHeads() * c.headDim();
        int keys = c.numKeyValueHeads() * c.headDim();
        int qkv = queries + 2 * keys;
        Traits.NormPlacement norms = c.traits().norms();
        int inner = c.intermediateSize();
        boolean mlpBias = c.variant().mlpBias();
        T embedTokens = cursor.next(c.vocabSize(), hidden);
        List<Block<T>> blocks = new ArrayList<>();
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            blocks.add(new Block<>(
                    cursor.next(qkv, hidden),
                    cursor.vector(qkv, c.variant().attentionBias()),
                    cursor.next(hidden, queries),
                    cursor.vector(hidden, c.outputBias()),
                    cursor.vector(isOfHeads(c) ? c.headDim() : queries, c.headNorms()),
                    cursor.vector(isOfHeads(c) ? c.headDim() : keys, c.headNorms()),
                    cursor.next(2 * inner, hidden),
                    cursor.vector(2 * inner, mlpBias),
                    cursor.next(hidden, inner),
                    cursor.vector(hidden, mlpBias),
                    cursor.vector(hidden, norms.before()),
                    cursor.vector(hidden, norms.after()),
                    cursor.vector(hidden, norms.before()),
                    cursor.vector(hidden, norms.after())));
        }
        T norm = cursor.next(1, hidden);
        return new Weights<>(embedTokens, blocks, norm, c.tieWordEmbeddings() ? embedTokens : cursor.next(c.vocabSize(), hidden));
    }

    private static final class Cursor<T> {
        private final INDArray flat;
        private final View<T> view;
        private long offset;

        Cursor(INDArray flat, View<T> view) {
            this.flat = flat;
            this.view = view;
        }

        T next(int rows, int columns) {
            long end = offset + (long) rows * columns;
            T matrix = view.of(flat.get(NDArrayIndex.interval(offset, end)), rows, columns);
            offset = end;
            return matrix;
        }

        T vector(int length, boolean present) {
            return present ? next(1, length) : null;
        }
    }
}
