// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.Matrix;

/** Activations that the forward pass keeps for the backward pass, and scratch memory; allocated for a maximum number of rows. */
public final class Activations {
    /**
     * Activations of one decoder layer; {@code input} and {@code middle} are the residual stream before and after attention.
     *
     * @param inputNormed     {@code input} itself in models without a norm there, as {@code middleNormed} is {@code middle}
     * @param unnormed        queries and keys before their norms; null in models without such norms
     * @param attentionOutput output of the sublayer before it is normalised or scaled, as {@code feedForwardOutput}; null in
     *                        models where it is added as it is
     */
    record Block(Matrix input, Matrix inputNormed, Matrix unnormed, Matrix qkv, Matrix attended, Matrix attentionOutput, Matrix middle,
            Matrix middleNormed, Matrix gateUp, Matrix activated, Matrix feedForwardOutput) {
        Block rows(int from, int to) {
            return new Block(input.rows(from, to), inputNormed.rows(from, to), some(unnormed, from, to), qkv.rows(from, to),
                    attended.rows(from, to), some(attentionOutput, from, to), middle.rows(from, to), middleNormed.rows(from, to),
                    gateUp.rows(from, to), activated.rows(from, to), some(feedForwardOutput, from, to));
        }
    }

    private static Matrix some(Matrix matrix, int from, int to) {
        return matrix == null ? null : matrix.rows(from, to);
    }

    /**
     * Gradients of one layer's activations, reused from layer to layer; {@code output} is that of the layer's output.
     *
     * @param ofAttention   gradient of the sublayer's own output, as {@code ofFeedForward}; null in models where it is that of the sum
     */
    record Gradients(Matrix output, Matrix middle, Matrix input, Matrix normed, Matrix qkv, Matrix attended,
            Matrix activated, Matrix ofAttention, Matrix ofFeedForward) {
        Gradients rows(int from, int to) {
            return new Gradients(output.rows(from, to), middle.rows(from, to), input.rows(from, to), normed.rows(from, to),
                    qkv.rows(from, to), attended.rows(from, to), activated.rows(from, to), some(ofAttention, from, to),
                    some(ofFeedForward, from, to));
        }

        /** Returns the gradient of what attention's projection computes. */
        Matrix attentionOutput() {
            return ofAttention == null ? middle : ofAttention;
        }

        /** Returns the gradient of what the feed-forward's projection computes. */
        Matrix feedForwardOutput() {
            return ofFeedForward == null ? output : ofFeedForward;
        }

        /** Returns the gradients for the layer below, whose output is this layer's input. */
        Gradients below() {
            return new Gradients(/* output= */ input, middle, /* input= */ output, normed, qkv, attended, activated, ofAttention, ofFeedForward);
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
        boolean apart = keepsOutputs(c);
        boolean normsInputs = c.traits().norms().before();
        for (int i = 0; i < blocks.length; i++) {
            Matrix input = allocate(c.hiddenSize());
            if (i > 0 && checkpointing) {
                blocks[i] = of(input, blocks[0]);
                continue;
            }
            Matrix middle = allocate(c.hiddenSize());
            blocks[i] = new Block(input, normsInputs ? allocate(c.hiddenSize()) : input, c.headNorms() ? allocate((queries + qkv) / 2) : null,
                    allocate(qkv), allocate(queries), apart ? allocate(c.hiddenSize()) : null, middle,
                    normsInputs ? allocate(c.hiddenSize()) : middle, allocate(2 * c.intermediateSize()), allocate(c.intermediateSize()),
                    apart ? allocate(c.hiddenSize()) : null);
        }
        last = allocate(c.hiddenSize());
        lastNormed = allocate(c.hiddenSize());
        gradients = new Gradients(allocate(c.hiddenSize()), allocate(c.hiddenSize()), allocate(c.hiddenSize()),
                allocate(c.hiddenSize()), allocate(qkv), allocate(queries), allocate(c.intermediateSize()),
                apart ? allocate(c.hiddenSize()) : null, apart ? allocate(c.hiddenSize()) : null);
    }

    /** Returns whether sublayers' outputs are not added to the residual stream as they are. */
    static boolean keepsOutputs(CausalLmConfig c) {
        return c.traits().norms().after() || c.traits().scales().residual() != 1;
    }

    /** Calculates the number of floats per row without allocating any. */
    public static long floatsPerRow(CausalLmConfig c, boolean checkpointing) {
        long hidden = c.hiddenSize();
        long inner = c.intermediateSize();
        long queries = (long) c.numAttentionHeads() * c.headDim();
        long qkv = queries + 2L * c.numKeyValueHeads() * c.headDim();
        int apart = keepsOutputs(c) ? 2 : 0;
        long computed = ((c.traits().norms().before() ? 3 : 1) + apart) * hidden + (c.headNorms() ? (queries + qkv) / 2 : 0) + qkv + queries + 3 * inner;
        return c.numHiddenLayers() * hidden + (checkpointing ? 1 : c.numHiddenLayers()) * computed
                + (6 + apart) * hidden + qkv + queries + inner;
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
        Matrix inputNormed = shared.inputNormed() == shared.input() ? input : shared.inputNormed();
        return new Block(input, inputNormed, shared.unnormed(), shared.qkv(), shared.attended(), shared.attentionOutput(), shared.middle(),
                shared.middleNormed(), shared.gateUp(), shared.activated(), shared.feedForwardOutput());
    }

    private Matrix allocate(int columns) {
        Matrix matrix = Matrix.allocate(type, capacity, columns);
        all.add(matrix);
        return matrix;
    }
}
