package org.potstill.student;

import java.util.ArrayList;
import java.util.List;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.checkpoints.CausalLmConfig;

/** What the forward pass leaves for the backward pass, and room to work; allocated once for the largest batch so far. */
final class Activations {
    /** Of one decoder layer; {@code input} and {@code middle} are the residual stream before and after attention. */
    record Block(Matrix input, Matrix inputNormed, Matrix qkv, Matrix attended, Matrix middle, Matrix middleNormed,
            Matrix gateUp, Matrix activated) {
    }

    final int capacity;
    final Block[] blocks;
    /** The residual stream after the last layer, and that normed. */
    final Matrix last;
    final Matrix lastNormed;
    /** Gradients, reused from layer to layer. */
    final Matrix dStream;
    final Matrix dNormed;
    final Matrix dQkv;
    final Matrix dAttended;
    final Matrix dActivated;
    private final List<Matrix> all = new ArrayList<>();
    private final DataType type;

    Activations(CausalLmConfig c, DataType type, int rows) {
        this.type = type;
        capacity = rows;
        int queries = c.numAttentionHeads() * c.headDim();
        int qkv = queries + 2 * c.numKeyValueHeads() * c.headDim();
        blocks = new Block[c.numHiddenLayers()];
        for (int i = 0; i < blocks.length; i++) {
            blocks[i] = new Block(allocate(c.hiddenSize()), allocate(c.hiddenSize()), allocate(qkv), allocate(queries),
                    allocate(c.hiddenSize()), allocate(c.hiddenSize()), allocate(2 * c.intermediateSize()),
                    allocate(c.intermediateSize()));
        }
        last = allocate(c.hiddenSize());
        lastNormed = allocate(c.hiddenSize());
        dStream = allocate(c.hiddenSize());
        dNormed = allocate(c.hiddenSize());
        dQkv = allocate(qkv);
        dAttended = allocate(queries);
        dActivated = allocate(c.intermediateSize());
    }

    void free() {
        all.forEach(Matrix::free);
    }

    private Matrix allocate(int columns) {
        Matrix matrix = Matrix.allocate(type, capacity, columns);
        all.add(matrix);
        return matrix;
    }
}
