// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.util.Arrays;

/** Common parts of {@link FloatRow} and {@link VectorRow}. */
public abstract class FloatValues implements Row {
    public final float[] values;

    FloatValues(int length) {
        values = new float[length];
    }

    @Override
    public final Row load(Matrix from, int row, int column, int n) {
        from.floats().get(from.index(row, column), values, 0, n);
        return this;
    }

    @Override
    public final void store(Matrix to, int row, int column, int n) {
        to.floats().put(to.index(row, column), values, 0, n);
    }

    /** Rounds the first {@code n} elements to bfloat16, see {@link Bf16Products#rounded}. */
    abstract void roundToBf16(short[] to, int n);

    /** Returns the index of the first element in {@code [from, n)} above a threshold; {@code n} if there is none. */
    public abstract int firstAbove(float threshold, int from, int n);

    @Override
    public final double get(int i) {
        return values[i];
    }

    @Override
    public final void set(int i, double value) {
        values[i] = (float) value;
    }

    @Override
    public final void fill(int from, int to, double value) {
        Arrays.fill(values, from, to, (float) value);
    }

    /** Applies {@link #rotate} to one head, which begins at element {@code first}, from its pair {@code from} on. */
    final void rotateHead(int first, int from, int half, float[] angles, int sign) {
        final float[] x = values;
        for (int j = from; j < half; j++) {
            float cos = angles[j];
            float sin = sign * angles[half + j];
            float a = x[first + j];
            float b = x[first + half + j];
            x[first + j] = a * cos - b * sin;
            x[first + half + j] = b * cos + a * sin;
        }
    }
}
