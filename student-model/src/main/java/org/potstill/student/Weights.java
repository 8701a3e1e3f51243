package org.potstill.student;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.potstill.checkpoints.CausalLmConfig;

/**
 * The parameters, or their gradients, as views of one flat vector in the order of Hugging Face's state dict. Query,
 * key and value projections are neighbours there, as are gate and up, so each such group is one matrix here and one
 * matrix product.
 *
 * @param embedTokens {@code [vocabSize, hiddenSize]}, also the head
 * @param blocks one a layer
 * @param norm  {@code [1, hiddenSize]}
 * @param <T>   how matrices are seen
 */
record Weights<T>(T embedTokens, List<Block<T>> blocks, T norm) {
    /**
     * @param qkvProj {@code [(heads + 2·keyValueHeads)·headDim, hiddenSize]}
     * @param oProj   {@code [hiddenSize, heads·headDim]}
     * @param gateUpProj {@code [2·intermediateSize, hiddenSize]}
     * @param downProj {@code [hiddenSize, intermediateSize]}
     */
    record Block<T>(T qkvProj, T oProj, T gateUpProj, T downProj, T inputLayernorm, T postAttentionLayernorm) {
    }

    /** Sees a piece of the flat vector as a matrix. */
    @FunctionalInterface
    interface View<T> {
        T of(INDArray piece, int rows, int columns);
    }

    /** Hugging Face name to shape, in the order of the flat vector. */
    static Map<String, long[]> shapes(CausalLmConfig c) {
        long queries = (long) c.numAttentionHeads() * c.headDim();
        long keys = (long) c.numKeyValueHeads() * c.headDim();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put("model.embed_tokens.weight", new long[] {c.vocabSize(), c.hiddenSize()});
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            String layer = "model.layers." + i + ".";
            shapes.put(layer + "self_attn.q_proj.weight", new long[] {queries, c.hiddenSize()});
            shapes.put(layer + "self_attn.k_proj.weight", new long[] {keys, c.hiddenSize()});
            shapes.put(layer + "self_attn.v_proj.weight", new long[] {keys, c.hiddenSize()});
            shapes.put(layer + "self_attn.o_proj.weight", new long[] {c.hiddenSize(), queries});
            shapes.put(layer + "mlp.gate_proj.weight", new long[] {c.intermediateSize(), c.hiddenSize()});
            shapes.put(layer + "mlp.up_proj.weight", new long[] {c.intermediateSize(), c.hiddenSize()});
            shapes.put(layer + "mlp.down_proj.weight", new long[] {c.hiddenSize(), c.intermediateSize()});
            shapes.put(layer + "input_layernorm.weight", new long[] {c.hiddenSize()});
            shapes.put(layer + "post_attention_layernorm.weight", new long[] {c.hiddenSize()});
        }
        shapes.put("model.norm.weight", new long[] {c.hiddenSize()});
        return shapes;
    }

    static long count(long[] shape) {
        long count = 1;
        for (long dimension : shape) {
            count *= dimension;
        }
        return count;
    }

    static <T> Weights<T> of(CausalLmConfig c, INDArray flat, View<T> view) {
        Cursor<T> cursor = new Cursor<>(flat.reshape(flat.length()), view);
        int hidden = c.hiddenSize();
        int queries = c.numAttentionHeads() * c.headDim();
        int keys = c.numKeyValueHeads() * c.headDim();
        T embedTokens = cursor.next(c.vocabSize(), hidden);
        List<Block<T>> blocks = new ArrayList<>();
        for (int i = 0; i < c.numHiddenLayers(); i++) {
            blocks.add(new Block<>(
                    cursor.next(queries + 2 * keys, hidden),
                    cursor.next(hidden, queries),
                    cursor.next(2 * c.intermediateSize(), hidden),
                    cursor.next(hidden, c.intermediateSize()),
                    cursor.next(1, hidden),
                    cursor.next(1, hidden)));
        }
        return new Weights<>(embedTokens, blocks, cursor.next(1, hidden));
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
    }
}
