// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Pointer;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;

/**
 * A row-major, possibly strided matrix over an ND4J array's memory, float or double. Views share the memory. BLAS reads it through
 * {@link #pointer()}; plain loops move rows in and out of the heap with {@link Row}, because the JIT compiler
 * vectorises loops over heap arrays but not over direct buffers.
 */
public final class Matrix {
    private final INDArray owner;
    private final long base;
    private final FloatBuffer floats;
    private final DoubleBuffer doubles;
    private final int offset;
    private final int rows;
    private final int columns;
    private final int stride;

    private Matrix(INDArray owner, long base, FloatBuffer floats, DoubleBuffer doubles, int offset, int rows, int columns,
            int stride) {
        this.owner = owner;
        this.base = base;
        this.floats = floats;
        this.doubles = doubles;
        this.offset = offset;
        this.rows = rows;
        this.columns = columns;
        this.stride = stride;
    }

    /** Allocates an uninitialised matrix; release it with {@link #free}. */
    public static Matrix allocate(DataType type, int rows, int columns) {
        return of(Nd4j.createUninitializedDetached(type, (long) rows * columns), rows, columns);
    }

    /**
     * Returns a view of a contiguous array as {@code [rows, columns]}.
     *
     * @throws org.potstill.errors.UserException if it is larger than 2 GiB
     */
    public static Matrix of(INDArray array, int rows, int columns) {
        long length = array.length();
        if (length != (long) rows * columns) {
            throw new IllegalArgumentException(length + " elements are not " + rows + " x " + columns);
        }
        // The size of a direct buffer in bytes is an int.
        if (length * array.dataType().width() > Integer.MAX_VALUE) {
            throw KernelErrors.tensorTooLarge(rows, columns);
        }
        Pointer pointer = array.data().addressPointer();
        pointer.position(0);
        if (array.dataType() == DataType.DOUBLE) {
            DoublePointer p = new DoublePointer(pointer).capacity(length);
            return new Matrix(array, p.address(), null, p.asBuffer(), 0, rows, columns, columns);
        }
        FloatPointer p = new FloatPointer(pointer).capacity(length);
        return new Matrix(array, p.address(), p.asBuffer(), null, 0, rows, columns, columns);
    }

    /** Returns a view of elements of a single row, from {@code first} on, as {@code [rows, columns]}. */
    Matrix reshape(int first, int rows, int columns) {
        if (this.rows != 1 || first < 0 || (long) first + (long) rows * columns > this.columns) {
            throw new IndexOutOfBoundsException(rows + " x " + columns + " from " + first + " of " + this.columns);
        }
        return new Matrix(owner, base, floats, doubles, index(0, first), rows, columns, columns);
    }

    public Matrix rows(int from, int to) {
        return block(from, to, 0, columns);
    }

    public Matrix block(int fromRow, int toRow, int fromColumn, int toColumn) {
        if (fromRow < 0 || toRow > rows || fromColumn < 0 || toColumn > columns) {
            throw new IndexOutOfBoundsException("rows " + fromRow + " to " + toRow + ", columns " + fromColumn + " to "
                    + toColumn + " of " + rows + " x " + columns);
        }
        return new Matrix(owner, base, floats, doubles, index(fromRow, fromColumn), toRow - fromRow, toColumn - fromColumn,
                stride);
    }

    public int rows() {
        return rows;
    }

    public int columns() {
        return columns;
    }

    int stride() {
        return stride;
    }

    boolean isDouble() {
        return doubles != null;
    }

    public int index(int row, int column) {
        return offset + row * stride + column;
    }

    /** The whole memory that this is a view of; see {@link #index}. */
    public FloatBuffer floats() {
        return floats;
    }

    /** The whole memory that this is a view of; see {@link #index}. */
    DoubleBuffer doubles() {
        return doubles;
    }

    /** Returns a pointer to the first element, a {@link FloatPointer} or {@link DoublePointer}. */
    Pointer pointer() {
        Pointer base = owner.data().addressPointer();
        return isDouble() ? new DoublePointer(base).position(offset) : new FloatPointer(base).position(offset);
    }

    /** Returns a pointer to the whole float memory that this is a view of. */
    FloatPointer memory() {
        return new FloatPointer(owner.data().addressPointer()).capacity(floats.capacity());
    }

    /** Returns the address of the first element. */
    long address() {
        return base + (long) offset * (isDouble() ? Double.BYTES : Float.BYTES);
    }

    /** Copies the single row of a matrix. */
    double[] get() {
        double[] values = new double[columns];
        for (int i = 0; i < columns; i++) {
            values[i] = isDouble() ? doubles.get(index(0, i)) : floats.get(index(0, i));
        }
        return values;
    }

    public void free() {
        owner.close();
    }
}
