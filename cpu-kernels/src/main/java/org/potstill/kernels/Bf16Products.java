// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.nio.IntBuffer;
import java.nio.ShortBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.ShortPointer;

/**
 * Matrix products of operands rounded to bfloat16, accumulated in single precision. All parameters are rounded once per step, into
 * a copy in the order of the flat vector; other operands are rounded when multiplied, into the calling thread's own memory.
 */
public final class Bf16Products implements Products {
    private static final int PIECE = 1 << 13;

    private final Matrix parameters;
    private final IntBuffer parameterBits;
    private final Rounded weights;
    private final ThreadLocal<Scratch> scratch = ThreadLocal.withInitial(Scratch::new);

    /** Off-heap memory for bfloat16 values. */
    private static final class Rounded {
        private final ShortPointer memory;
        private final ShortBuffer values;

        Rounded(long length) {
            memory = new ShortPointer(length);
            values = memory.asBuffer();
        }
    }

    private static final class Scratch {
        private final int[] bits = new int[PIECE];
        private final short[] rounded = new short[PIECE];
        private Rounded first = new Rounded(PIECE);
        private Rounded second = new Rounded(PIECE);
    }

    /** @param parameters the flat vector, {@code [1, n]} */
    public Bf16Products(Matrix parameters) {
        this.parameters = parameters;
        this.parameterBits = bits(parameters);
        this.weights = new Rounded(parameters.columns());
    }

    @Override
    public void weightsChanged() {
        int n = parameters.columns();
        Slices.each((n + PIECE - 1) / PIECE, i -> {
            int begin = i * PIECE;
            round(parameterBits, begin, weights.values, begin, Math.min(PIECE, n - begin), scratch.get());
        });
    }

    @Override
    public void timesTransposed(Matrix x, Matrix w, Matrix y, double beta) {
        long a = rounded(x, true);
        OneDnn.bgemm(false, true, x.rows(), w.rows(), x.columns(), a, x.columns(), weight(w), w.stride(), (float) beta, y.address(),
                y.stride());
    }

    @Override
    public void times(Matrix dy, Matrix w, Matrix dx, double beta) {
        long a = rounded(dy, true);
        OneDnn.bgemm(false, false, dy.rows(), w.columns(), dy.columns(), a, dy.columns(), weight(w), w.stride(), (float) beta,
                dx.address(), dx.stride());
    }

    @Override
    public void transposedTimes(Matrix dy, Matrix x, Matrix dw, double beta) {
        long a = rounded(dy, true);
        long b = rounded(x, false);
        OneDnn.bgemm(true, false, dy.columns(), x.columns(), dy.rows(), a, dy.columns(), b, x.columns(), (float) beta, dw.address(),
                dw.stride());
    }

    @Override
    public void free() {
        weights.memory.close();
    }

    /** Returns the address of the rounded copy of a matrix of parameters. */
    private long weight(Matrix w) {
        return weights.memory.address() + (w.address() - parameters.address()) / 2;
    }

    /** Rounds a matrix into a copy without gaps between rows and returns its address. */
    private long rounded(Matrix x, boolean first) {
        Scratch own = scratch.get();
        int length = Math.multiplyExact(x.rows(), x.columns());
        Rounded to = first ? own.first : own.second;
        if (to.values.capacity() < length) {
            to.memory.close();
            to = new Rounded(length);
            if (first) {
                own.first = to;
            } else {
                own.second = to;
            }
        }
        IntBuffer from = bits(x);
        // A matrix without gaps is treated as a single row.
        int width = x.stride() == x.columns() ? length : x.columns();
        for (int begin = 0; begin < length; begin += width) {
            int at = x.index(begin / x.columns(), 0);
            for (int column = 0; column < width; column += PIECE) {
                round(from, at + column, to.values, begin + column, Math.min(PIECE, width - column), own);
            }
        }
        return to.memory.address();
    }

    private static IntBuffer bits(Matrix x) {
        FloatPointer floats = x.memory();
        return new IntPointer(floats).capacity(floats.capacity()).asBuffer();
    }

    private static void round(IntBuffer from, int at, ShortBuffer to, int place, int n, Scratch own) {
        from.get(at, own.bits, 0, n);
        round(own.bits, own.rounded, n);
        to.put(place, own.rounded, 0, n);
    }

    /** Rounds the bits of {@code n} floats. */
    static void round(int[] bits, short[] rounded, int n) {
        for (int i = Row.VECTORS ? VectorRow.roundToBf16(bits, rounded, n) : 0; i < n; i++) {
            rounded[i] = rounded(bits[i]);
        }
    }

    /** Rounds to nearest, ties to even. */
    static short rounded(int bits) {
        return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
    }
}
