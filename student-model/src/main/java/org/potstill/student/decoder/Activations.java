// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.kernels.Matrix;

/** Activations that the forward pass keeps for the backward pass, and scratch memory; allocated for a maximum number of rows. */
public final class Activations {
    /**
     * Activations of one decoder layer; {@code input} and {@code middle} are the residual stream before and after attention.
     *
     * @param unnormed queries and keys before their per-head norms; null in models without such norms
     */
    record Block(Matrix input, Matrix inputNormed, Matrix unnormed, Matrix qkv, Matrix attended, Matrix middle,
            Matrix middleNormed, Matrix gateUp, Matrix activated) {
        Block rows(int from, int to) {
            return new Block(input.rows(from, to), inputNormed.rows(from, to), unnormed == null ? null : unnormed.rows(from, to),
                    qkv.rows(from, to), attended.rows(from, to), middle.rows(from, to), middleNormed.rows(from, to),
                    gateUp.rows(from, to), activated.rows(from, to));
        }
    }

    /** Gradients of one layer's activations, reused from layer to layer; {@code output} is that of the layer's output. */
    record Gradients(Matrix output, Matrix middle, Matrix input, Matrix normed, Matrix qkv, Matrix attended,
            Matrix activated) {
        Gradients rows(int from, int to) {
            return new Gradients(output.rows(from, to), middle.rows(from, to), input.rows(from, to), normed.rows(from, to),
                    qkv.rows(from, to), attended.rows(from, to), activated.rows(from, to));
        }

        /** Returns the gradients for the layer below, whose output is this layer's input. */
        Gradients below() {
            return new Gradients(/* output= */ input, middle, /* input= */ output, normed, qkv, attended, activated);
        }
    }

    final int capacity;
    private final Block[] blocks;
    /** The residual stream after the last layer, before and after the final norm. */
    private final Matrix last;
    private final Matrix lastNormed;
    private final Gradients gradients;
    private final List<Matrix> all = new ArrayList<>();
    private final DataType type;

    /** @param checkpointing whether all layers share the memory of what can be recomputed from their inputs */
    public Activations(CausalLmConfig c, DataType type, int rows, boolean checkpointing) {
        this.type = type;
        capacity = rows;
        int queries = c.numAttentionHeads() * c.headDim();
        int qkv = queries + 2 * c.numKeyValueHeads() * c.headDim();
        blocks = new Block[c.numHiddenLayers()];
        for (int i = 0; i < blocks.length; i++) {
            Matrix input = allocate(c.hiddenSize());
            blocks[i] = i > 0 && checkpointing ? of(input, blocks[0])
                    : new Block(input, allocate(c.hiddenSize()), c.headNorms() ? allocate((queries + qkv) / 2) : null, allocate(qkv),
                            allocate(queries), allocate(c.hiddenSize()), allocate(c.hiddenSize()),
                            allocate(2 * c.intermediateSize()), allocate(c.intermediateSize()));
        }
        last = allocate(c.hiddenSize());
        lastNormed = allocate(c.hiddenSize());
        gradients = new Gradients(allocate(c.hiddenSize()), allocate(c.hiddenSize()), allocate(c.hiddenSize()),
                allocate(c.hiddenSize()), allocate(qkv), allocate(queries), allocate(c.intermediateSize()));
    }

    /** Calculates the number of floats per row without allocating any. */
    public static long floatsPerRow(CausalLmConfig c, boolean checkpointing) {
        long hidden = c.hiddenSize();
        long inner = c.intermediateSize();
        long queries = (long) c.numAttentionHeads() * c.headDim();
        long qkv = queries + 2L * c.numKeyValueHeads() * c.headDim();
        long computed = 3 * hidden + (c.headNorms() ? (queries + qkv) / 2 : 0) + qkv + queries + 3 * inner;
        return c.numHiddenLayers() * hidden + (checkpointing ? 1 : c.numHiddenLayers()) * computed
                + 6 * hidden + qkv + queries + inner;
    }

    /** Returns the number of floats allocated. */
    public long floats() {
        return all.stream().mapToLong(matrix -> (long) matrix.rows() * matrix.columns()).sum();
    }

    Block block(int layer, int rows) {
        return blocks[layer].rows(0, rows);
    }

    /** Returns the matrix that receives a layer's output: the next layer's input, or {@code last}. */
    Matrix output(int layer, int rows) {
        return (layer + 1 == blocks.length ? last : blocks[layer + 1].input()).rows(0, rows);
    }

    Matrix lastNormed(int rows) {
        return lastNormed.rows(0, rows);
    }

    Gradients gradients(int rows) {
        return gradients.rows(0, rows);
    }

    public void free() {
        all.forEach(Matrix::free);
    }

    private static Block of(Matrix input, Block shared) {
        return new Block(input, shared.inputNormed(), shared.unnormed(), shared.qkv(), shared.attended(), shared.middle(),
                shared.middleNormed(), shared.gateUp(), shared.activated());
    }

    private Matrix allocate(int columns) {
        Matrix matrix = Matrix.allocate(type, capacity, columns);
        all.add(matrix);
        return matrix;
    }
}
