// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.BytePointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.indexing.NDArrayIndex;
import org.potstill.nd4j.Nd4jRuntime;

/** Access from the host to the elements of ND4J arrays: directly on the CPU backend, through copies on CUDA. */
public final class HostMemory {
    /** Maximum number of floats in one direct buffer, whose size in bytes is an int. */
    private static final int PIECE = 1 << 28;

    private HostMemory() {
    }

    /** Returns an array's elements in row-major order, for reading only; at most 2 GiB. */
    public static FloatBuffer read(INDArray array) {
        return Nd4jRuntime.isCuda() ? FloatBuffer.wrap(array.toFloatVector()) : own(array);
    }

    /** Copies an array of one row, of any size that a Java array can have. */
    public static float[] copy(INDArray array) {
        float[] values = new float[Math.toIntExact(array.length())];
        for (int from = 0; from < values.length; from += Math.min(PIECE, values.length - from)) {
            int count = Math.min(PIECE, values.length - from);
            read(range(array, from, count)).get(values, from, count);
        }
        return values;
    }

    public static double[] doubles(INDArray array) {
        if (Nd4jRuntime.isCuda()) {
            return array.toDoubleVector();
        }
        boolean rowMajor = array.ordering() == 'c' && !array.isView();
        return Matrix.of(rowMajor ? array : array.dup('c'), 1, Math.toIntExact(array.length())).get();
    }

    /** Overwrites all elements. */
    public static void write(INDArray array, float[] values) {
        if (Nd4jRuntime.isCuda() || array.dataType() != DataType.FLOAT) {
            assign(array, values);
            return;
        }
        for (int from = 0; from < values.length; from += Math.min(PIECE, values.length - from)) {
            int count = Math.min(PIECE, values.length - from);
            own(range(array, from, count)).put(values, from, count);
        }
    }

    /** Overwrites all elements using ND4J's operations. */
    static void assign(INDArray array, float[] values) {
        try (INDArray all = Nd4j.createFromArray(values)) {
            array.assign(all.reshape('c', array.shape()));
        }
    }

    /**
     * Returns {@code count} elements of an array of one row, from index {@code from}, as little-endian floats, for reading only
     * and valid until the array is closed.
     *
     * @param array may be null if {@code count} is 0
     */
    public static ByteBuffer bytes(INDArray array, int from, int count) {
        if (count == 0) {
            return ByteBuffer.allocate(0);
        }
        if (Nd4jRuntime.isCuda() || ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
            ByteBuffer copy = ByteBuffer.allocate(Math.multiplyExact(count, Float.BYTES)).order(ByteOrder.LITTLE_ENDIAN);
            copy.asFloatBuffer().put(range(array, from, count).toFloatVector());
            return copy;
        }
        return new BytePointer(Matrix.of(range(array, from, count), 1, count).memory())
                .position(0).limit((long) count * Float.BYTES).asByteBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }

    /**
     * Overwrites elements of an array of one row, from index {@code from}, with a buffer's remaining values, at most 2 GiB.
     *
     * @param array may be null if the buffer is empty
     */
    public static void write(INDArray array, int from, FloatBuffer values) {
        if (!values.hasRemaining()) {
            return;
        }
        if (Nd4jRuntime.isCuda() || array.dataType() != DataType.FLOAT) {
            float[] copy = new float[values.remaining()];
            values.get(copy);
            assign(range(array, from, copy.length), copy);
        } else {
            own(range(array, from, values.remaining())).put(values);
        }
    }

    /** Returns a view of {@code length} elements from index {@code from}. */
    public static INDArray range(INDArray array, int from, int length) {
        return array.reshape(array.length()).get(NDArrayIndex.interval(from, from + length));
    }

    private static FloatBuffer own(INDArray array) {
        return Matrix.of(array, 1, Math.toIntExact(array.length())).floats().duplicate();
    }
}
