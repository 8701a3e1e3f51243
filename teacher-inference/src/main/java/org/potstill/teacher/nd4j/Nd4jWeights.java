// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.Map;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.teacher.scoring.TeacherErrors;

/** A checkpoint's tensors as float matrices in ND4J's memory, vectors as one row. They pass through the heap in pieces. */
public final class Nd4jWeights implements AutoCloseable {
    private static final int CHUNK_FLOATS = 1 << 20;

    private final Map<String, INDArray> tensors = new HashMap<>();

    static Nd4jWeights read(Checkpoint checkpoint) {
        CausalLmConfig c = checkpoint.config();
        requirePlainLlama(c);
        Nd4jWeights weights = new Nd4jWeights();
        try {
            LlamaTensors.shapes(c).forEach((name, shape) -> weights.tensors.put(name, read(checkpoint, name, shape)));
            return weights;
        } catch (RuntimeException | OutOfMemoryError e) {
            weights.close();
            throw e;
        }
    }

    public static void requirePlainLlama(CausalLmConfig c) {
        // This forward pass supports nothing beyond a plain Llama, whatever else a configuration may set.
        if (!c.equals(new CausalLmConfig(c.vocabSize(), c.hiddenSize(), c.intermediateSize(), c.numHiddenLayers(),
                c.numAttentionHeads(), c.numKeyValueHeads(), c.headDim(), c.maxPositionEmbeddings(), c.rmsNormEps(),
                c.ropeTheta(), c.tieWordEmbeddings()))) {
            throw TeacherErrors.notAPlainLlama(c);
        }
    }

    private static INDArray read(Checkpoint checkpoint, String name, long[] shape) {
        long rows = shape.length == 1 ? 1 : shape[0];
        int columns = Math.toIntExact(shape[shape.length - 1]);
        INDArray tensor = Nd4j.createUninitializedDetached(DataType.FLOAT, rows, columns);
        int rowsPerChunk = Math.max(1, CHUNK_FLOATS / columns);
        for (long row = 0; row < rows; row += rowsPerChunk) {
            int count = (int) Math.min(rowsPerChunk, rows - row);
            float[] values = new float[count * columns];
            checkpoint.readRows(name, row, count, FloatBuffer.wrap(values));
            try (INDArray chunk = Nd4j.create(values, new long[] {count, columns}, 'c')) {
                tensor.get(NDArrayIndex.interval(row, row + count), NDArrayIndex.all()).assign(chunk);
            }
        }
        return tensor;
    }

    INDArray get(String name) {
        return tensors.get(name);
    }

    @Override
    public void close() {
        tensors.values().forEach(INDArray::close);
        tensors.clear();
    }
}
