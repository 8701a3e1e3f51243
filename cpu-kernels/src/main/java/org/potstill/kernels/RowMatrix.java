// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.nio.FloatBuffer;
import java.nio.ShortBuffer;

/** A row-major matrix of floats or bfloat16 numbers in native memory, for {@link PackedLinear} and {@link CausalAttention}. */
public final class RowMatrix implements AutoCloseable {
    /** Number format. */
    public enum Type {
        FP32(Primitives.F32, Float.BYTES), BF16(Primitives.BF16, Short.BYTES);

        private final int code;
        private final int bytes;

        Type(int code, int bytes) {
            this.code = code;
            this.bytes = bytes;
        }

        int code() {
            return code;
        }

        int bytes() {
            return bytes;
        }
    }

    private static final ThreadLocal<short[]> ROUNDED = ThreadLocal.withInitial(() -> new short[0]);

    private final Type type;
    private final int columns;
    private final AlignedMemory memory;
    private final FloatBuffer floats;
    private final ShortBuffer halves;

    /** Allocates a matrix, uninitialised. */
    public RowMatrix(Type type, int rows, int columns) {
        long bytes = (long) rows * columns * type.bytes;
        // The size of a direct buffer in bytes is an int.
        if (bytes > Integer.MAX_VALUE) {
            throw KernelErrors.tensorTooLarge(rows, columns);
        }
        this.type = type;
        this.columns = columns;
        this.memory = new AlignedMemory(bytes);
        this.floats = type == Type.FP32 ? memory.buffer().asFloatBuffer() : null;
        this.halves = type == Type.BF16 ? memory.buffer().asShortBuffer() : null;
    }

    public int columns() {
        return columns;
    }

    long address(int row, int column) {
        return memory.address() + ((long) row * columns + column) * type.bytes;
    }

    /** Returns the values of a matrix of floats. */
    public FloatBuffer floats() {
        return floats;
    }

    /** Reads elements of a row of floats. */
    public void load(FloatValues to, int row, int column, int n) {
        floats.get(row * columns + column, to.values, 0, n);
    }

    /** Overwrites elements of a row, rounded to this matrix's format. */
    public void store(FloatValues from, int row, int column, int n) {
        if (type == Type.FP32) {
            floats.put(row * columns + column, from.values, 0, n);
        } else {
            short[] values = ROUNDED.get();
            if (values.length < from.values.length) {
                values = new short[from.values.length];
                ROUNDED.set(values);
            }
            from.roundToBf16(values, n);
            halves.put(row * columns + column, values, 0, n);
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
