// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

/** A row whose loops the JIT compiler vectorises: counted, over heap arrays, without calls or strictly ordered reductions. */
final class FloatRow extends FloatValues {
    /** Elements summed in single precision before the sum goes on in double. */
    private static final int BLOCK = 512;

    FloatRow(int length) {
        super(length);
    }

    @Override
    void roundToBf16(short[] to, int n) {
        for (int i = 0; i < n; i++) {
            to[i] = Bf16Products.rounded(Float.floatToRawIntBits(values[i]));
        }
    }

    @Override
    public int firstAbove(float threshold, int from, int n) {
        int i = from;
        while (i < n && !(values[i] > threshold)) {
            i++;
        }
        return i;
    }

    @Override
    public double max(int n) {
        // Four independent chains: a single one would be bound by the latency of each operation.
        final float[] x = values;
        float a = x[0];
        float b = a;
        float c = a;
        float d = a;
        int i = 0;
        for (; i + 3 < n; i += 4) {
            a = x[i] > a ? x[i] : a;
            b = x[i + 1] > b ? x[i + 1] : b;
            c = x[i + 2] > c ? x[i + 2] : c;
            d = x[i + 3] > d ? x[i + 3] : d;
        }
        for (; i < n; i++) {
            a = x[i] > a ? x[i] : a;
        }
        return Math.max(Math.max(a, b), Math.max(c, d));
    }

    @Override
    public double sum(int n) {
        final float[] x = values;
        double sum = 0;
        for (int from = 0; from < n; from += BLOCK) {
            int to = Math.min(n, from + BLOCK);
            float a = 0;
            float b = 0;
            float c = 0;
            float d = 0;
            int i = from;
            for (; i + 7 < to; i += 8) {
                a += x[i] + x[i + 4];
                b += x[i + 1] + x[i + 5];
                c += x[i + 2] + x[i + 6];
                d += x[i + 3] + x[i + 7];
            }
            for (; i < to; i++) {
                a += x[i];
            }
            sum += (double) a + b + c + d;
        }
        return sum;
    }

    @Override
    public double dot(int n, Row other) {
        final float[] x = values;
        final float[] y = ((FloatRow) other).values;
        double sum = 0;
        for (int from = 0; from < n; from += BLOCK) {
            int to = Math.min(n, from + BLOCK);
            float a = 0;
            float b = 0;
            float c = 0;
            float d = 0;
            int i = from;
            for (; i + 7 < to; i += 8) {
                a += x[i] * y[i] + x[i + 4] * y[i + 4];
                b += x[i + 1] * y[i + 1] + x[i + 5] * y[i + 5];
                c += x[i + 2] * y[i + 2] + x[i + 6] * y[i + 6];
                d += x[i + 3] * y[i + 3] + x[i + 7] * y[i + 7];
            }
            for (; i < to; i++) {
                a += x[i] * y[i];
            }
            sum += (double) a + b + c + d;
        }
        return sum;
    }

    @Override
    public void exp(int n, double shift) {
        final float[] x = values;
        final float by = (float) shift;
        for (int i = 0; i < n; i++) {
            x[i] = x[i] - by;
        }
        VectorExp.exp(x, n);
    }

    @Override
    public void scale(int n, double factor) {
        final float[] x = values;
        final float a = (float) factor;
        for (int i = 0; i < n; i++) {
            x[i] = a * x[i];
        }
    }

    @Override
    public void add(int n, double factor, Row other) {
        final float[] x = values;
        final float[] y = ((FloatRow) other).values;
        final float a = (float) factor;
        for (int i = 0; i < n; i++) {
            x[i] = x[i] + a * y[i];
        }
    }

    @Override
    public void add(int n, double factor, Row first, Row second) {
        final float[] x = values;
        final float[] y = ((FloatRow) first).values;
        final float[] z = ((FloatRow) second).values;
        final float a = (float) factor;
        for (int i = 0; i < n; i++) {
            x[i] = x[i] + a * y[i] * z[i];
        }
    }

    @Override
    public void multiply(int n, Row other) {
        final float[] x = values;
        final float[] y = ((FloatRow) other).values;
        for (int i = 0; i < n; i++) {
            x[i] = x[i] * y[i];
        }
    }

    @Override
    public void sigmoid(int n, Row other) {
        final float[] x = values;
        final float[] y = ((FloatRow) other).values;
        for (int i = 0; i < n; i++) {
            x[i] = -y[i];
        }
        VectorExp.exp(x, n);
        for (int i = 0; i < n; i++) {
            x[i] = 1f / (1f + x[i]);
        }
    }

    @Override
    public void siluDerivative(int n, Row other, Row sigmoid) {
        final float[] x = values;
        final float[] y = ((FloatRow) other).values;
        final float[] s = ((FloatRow) sigmoid).values;
        for (int i = 0; i < n; i++) {
            x[i] = s[i] * (1f + y[i] * (1f - s[i]));
        }
    }

    @Override
    public void rotate(int heads, int headDim, Row angles, int sign) {
        for (int first = 0; first < heads * headDim; first += headDim) {
            rotateHead(first, 0, headDim / 2, ((FloatRow) angles).values, sign);
        }
    }
}
