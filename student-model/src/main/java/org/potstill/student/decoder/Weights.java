// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
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
        /** Returns all components, in the order of the flat vector; those that a model lacks are null. */
        public List<T> all() {
            return Arrays.asList(qkvProj, qkvBias, oProj, oBias, queryNorm, keyNorm, gateUpProj, gateUpBias, downProj, downBias,
                    attentionInputNorm, attentionOutputNorm, feedForwardInputNorm, feedForwardOutputNorm);
        }

        /** Makes a block from {@link #all} its components. */
        public static <T> Block<T> of(List<T> all) {
            return new Block<>(all.get(0), all.get(1), all.get(2), all.get(3), all.get(4), all.get(5), all.get(6), all.get(7),
                    all.get(8), all.get(9), all.get(10), all.get(11), all.get(12), all.get(13));
        }
    }

    /**
     * A matrix's place in the flat vector.
     *
     * @param offset index of its first value
     */
    public record Place(long offset, int rows, int columns) {
        long end() {
            return offset + (long) rows * columns;
        }
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
        INDArray vector = flat.reshape(flat.length());
        return places(c).map(place ->
                view.of(vector.get(NDArrayIndex.interval(place.offset(), place.end())), place.rows(), place.columns()));
    }

    /** Returns where each matrix is in the flat vector. */
    public static Weights<Place> places(CausalLmConfig c) {
        Cursor cursor = new Cursor();
        int hidden = c.hiddenSize();
        int queries = c.numAttentionHeads() * c.headDim();
        int keys = c.numKeyValueHeads() * c.headDim();
        int qkv = queries + 2 * keys;
        Traits.NormPlacement norms = c.traits().norms();
        int inner = c.intermediateSize();
        boolean mlpBias = c.variant().mlpBias();
        Place embedTokens = cursor.next(c.vocabSize(), hidden);
        List<Block<Place>> blocks = new ArrayList<>();
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
        Place norm = cursor.next(1, hidden);
        return new Weights<>(embedTokens, blocks, norm, c.tieWordEmbeddings() ? embedTokens : cursor.next(c.vocabSize(), hidden));
    }

    private <U> Weights<U> map(Function<T, U> change) {
        U embedding = change.apply(embedTokens);
        List<Block<U>> changed = new ArrayList<>();
        for (Block<T> block : blocks) {
            List<U> all = new ArrayList<>();
            block.all().forEach(each -> all.add(each == null ? null : change.apply(each)));
            changed.add(Block.of(all));
        }
        U changedNorm = change.apply(norm);
        return new Weights<>(embedding, changed, changedNorm, head == embedTokens ? embedding : change.apply(head));
    }

    private static final class Cursor {
        private long offset;

        Place next(int rows, int columns) {
            Place place = new Place(offset, rows, columns);
            offset = place.end();
            return place;
        }

        Place vector(int length, boolean present) {
            return present ? next(1, length) : null;
        }
    }
}
