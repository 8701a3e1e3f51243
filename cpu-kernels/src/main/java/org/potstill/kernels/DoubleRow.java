// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

/** Straightforward reference implementation in double precision. */
final class DoubleRow implements Row {
    private final double[] values;

    DoubleRow(int length) {
        values = new double[length];
    }

    @Override
    public Row load(Matrix from, int row, int column, int n) {
        from.doubles().get(from.index(row, column), values, 0, n);
        return this;
    }

    @Override
    public void store(Matrix to, int row, int column, int n) {
        to.doubles().put(to.index(row, column), values, 0, n);
    }

    @Override
    public double get(int i) {
        return values[i];
    }

    @Override
    public void set(int i, double value) {
        values[i] = value;
    }

    @Override
    public void fill(int from, int to, double value) {
        for (int i = from; i < to; i++) {
            values[i] = value;
        }
    }

    @Override
    public double max(int n) {
        double max = values[0];
        for (int i = 1; i < n; i++) {
            max = Math.max(max, values[i]);
        }
        return max;
    }

    @Override
    public double sum(int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += values[i];
        }
        return sum;
    }

    @Override
    public double dot(int n, Row other) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum += values[i] * other.get(i);
        }
        return sum;
    }

    @Override
    public void exp(int n, double shift) {
        for (int i = 0; i < n; i++) {
            values[i] = Math.exp(values[i] - shift);
        }
    }

    @Override
    public void scale(int n, double factor) {
        for (int i = 0; i < n; i++) {
            values[i] *= factor;
        }
    }

    @Override
    public void add(int n, double factor, Row x) {
        for (int i = 0; i < n; i++) {
            values[i] += factor * x.get(i);
        }
    }

    @Override
    public void add(int n, double factor, Row x, Row y) {
        for (int i = 0; i < n; i++) {
            values[i] += factor * x.get(i) * y.get(i);
        }
    }

    @Override
    public void multiply(int n, Row x) {
        for (int i = 0; i < n; i++) {
            values[i] *= x.get(i);
        }
    }

    @Override
    public void sigmoid(int n, Row x) {
        for (int i = 0; i < n; i++) {
            values[i] = 1 / (1 + Math.exp(-x.get(i)));
        }
    }

    @Override
    public void siluDerivative(int n, Row x, Row sigmoid) {
        for (int i = 0; i < n; i++) {
            values[i] = sigmoid.get(i) * (1 + x.get(i) * (1 - sigmoid.get(i)));
        }
    }

    @Override
    public void rotate(int heads, int headDim, Row angles, int sign) {
        int half = headDim / 2;
        for (int first = 0; first < heads * headDim; first += headDim) {
            for (int j = 0; j < half; j++) {
                double cos = angles.get(j);
                double sin = sign * angles.get(half + j);
                double a = values[first + j];
                double b = values[first + half + j];
                values[first + j] = a * cos - b * sin;
                values[first + half + j] = b * cos + a * sin;
            }
        }
    }
}
