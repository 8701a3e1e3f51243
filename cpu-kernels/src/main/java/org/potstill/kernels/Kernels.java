// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

/** Elementwise and row-wise operations of the decoder, each one pass over memory in the calling thread. */
public final class Kernels {
    private Kernels() {
    }

    /** Computes {@code to = from}. */
    public static void copy(Matrix from, Matrix to) {
        int n = from.columns();
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            row.load(from, i, 0, n).store(to, i, 0, n);
        }
    }

    /** Computes {@code to = to + from}. */
    public static void add(Matrix from, Matrix to) {
        int n = from.columns();
        Row sum = Row.of(from, n);
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            sum.load(to, i, 0, n).add(n, 1, row.load(from, i, 0, n));
            sum.store(to, i, 0, n);
        }
    }

    /** Computes {@code x = factor·x}. */
    public static void scale(Matrix x, double factor) {
        int n = x.columns();
        Row row = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.load(x, i, 0, n).scale(n, factor);
            row.store(x, i, 0, n);
        }
    }

    /** Computes {@code to = to + factor·from}. */
    public static void add(Matrix from, double factor, Matrix to) {
        int n = from.columns();
        Row sum = Row.of(from, n);
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            sum.load(to, i, 0, n).add(n, factor, row.load(from, i, 0, n));
            sum.store(to, i, 0, n);
        }
    }

    /** Overwrites each row of {@code to} with the vector. */
    public static void repeat(Matrix vector, Matrix to) {
        int n = to.columns();
        Row row = Row.of(to, n).load(vector, 0, 0, n);
        for (int i = 0; i < to.rows(); i++) {
            row.store(to, i, 0, n);
        }
    }

    /** Adds the vector to each row of {@code to}. */
    public static void addToRows(Matrix vector, Matrix to) {
        int n = to.columns();
        Row row = Row.of(to, n).load(vector, 0, 0, n);
        Row sum = Row.of(to, n);
        for (int i = 0; i < to.rows(); i++) {
            sum.load(to, i, 0, n).add(n, 1, row);
            sum.store(to, i, 0, n);
        }
    }

    /** Adds all rows to {@code sum}. */
    public static void addRows(Matrix from, Row sum) {
        int n = from.columns();
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            sum.add(n, 1, row.load(from, i, 0, n));
        }
    }

    public static void zero(Matrix x) {
        int n = x.columns();
        Row row = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.store(x, i, 0, n);
        }
    }

    /** Looks up embeddings: row i of {@code to} becomes row {@code ids[first + i]} of the table. */
    public static void gather(Matrix table, int[] ids, int first, Matrix to) {
        int n = table.columns();
        Row row = Row.of(table, n);
        for (int i = 0; i < to.rows(); i++) {
            row.load(table, ids[first + i], 0, n).store(to, i, 0, n);
        }
    }

    /** Adds row i of {@code from} to row {@code ids[i]} of the table, in order: the gradient of {@link #gather}. Ids may repeat. */
    public static void scatterAdd(Matrix from, int[] ids, Matrix table) {
        int n = table.columns();
        Row sum = Row.of(table, n);
        Row row = Row.of(table, n);
        for (int i = 0; i < ids.length; i++) {
            sum.load(table, ids[i], 0, n);
            sum.add(n, 1, row.load(from, i, 0, n));
            sum.store(table, ids[i], 0, n);
        }
    }

    /** Computes RMSNorm (Zhang and Sennrich 2019): {@code row = gain · row / sqrt(mean(row²) + eps)}. */
    public static void rmsNorm(Row row, int n, Row gain, double eps) {
        row.scale(n, 1 / Math.sqrt(row.dot(n, row) / n + eps));
        row.multiply(n, gain);
    }

    /** Computes RMSNorm of each row: {@code out = weight · x / sqrt(mean(x²) + eps)}. */
    public static void rmsNorm(Matrix x, Matrix weight, double eps, Matrix out) {
        int n = x.columns();
        Row gain = Row.of(x, n).load(weight, 0, 0, n);
        Row row = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.load(x, i, 0, n);
            rmsNorm(row, n, gain, eps);
            row.store(out, i, 0, n);
        }
    }

    /** Computes {@code out = out + factor·rmsNorm(x)}. */
    public static void addRmsNorm(Matrix x, Matrix weight, double eps, double factor, Matrix out) {
        int n = x.columns();
        Row gain = Row.of(x, n).load(weight, 0, 0, n);
        Row row = Row.of(x, n);
        Row sum = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.load(x, i, 0, n);
            rmsNorm(row, n, gain, eps);
            sum.load(out, i, 0, n).add(n, factor, row);
            sum.store(out, i, 0, n);
        }
    }

    /** Adds the gradient with respect to {@code x} to {@code dx}, and that with respect to the weight to {@code dWeight}. */
    public static void rmsNormBackward(Matrix dOut, Matrix x, Matrix weight, double eps, Matrix dx, Row dWeight) {
        rmsNormBackward(dOut, x, weight, eps, dx, true, dWeight);
    }

    /** Replaces the gradient of the norm's output by that of {@code x}, and adds that of the weight to {@code dWeight}. */
    public static void rmsNormBackward(Matrix gradient, Matrix x, Matrix weight, double eps, Row dWeight) {
        rmsNormBackward(gradient, x, weight, eps, gradient, false, dWeight);
    }

    private static void rmsNormBackward(Matrix dOut, Matrix x, Matrix weight, double eps, Matrix dx, boolean add, Row dWeight) {
        int n = x.columns();
        Row gain = Row.of(x, n).load(weight, 0, 0, n);
        Row row = Row.of(x, n);
        Row dRow = Row.of(x, n);
        Row sum = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.load(x, i, 0, n);
            dRow.load(dOut, i, 0, n);
            double scale = 1 / Math.sqrt(row.dot(n, row) / n + eps);
            dWeight.add(n, scale, dRow, row);
            dRow.multiply(n, gain);
            double projection = row.dot(n, dRow) * scale * scale * scale / n;
            if (add) {
                sum.load(dx, i, 0, n);
            } else {
                sum.fill(0, n, 0);
            }
            sum.add(n, scale, dRow);
            sum.add(n, -projection, row);
            sum.store(dx, i, 0, n);
        }
    }

    /** Overwrites {@code to} with the sum of the slices' partial sums, added in order. */
    public static void sum(Row[] slices, Matrix to) {
        int n = to.columns();
        Row total = Row.of(to, n);
        for (Row slice : slices) {
            total.add(n, 1, slice);
        }
        total.store(to, 0, 0, n);
    }

    /**
     * Applies the rotary embedding (Su et al. 2021) in place to each head of each row.
     *
     * @param positions row i of {@code x} is rotated by row {@code positions[first + i]} of {@code angles}
     * @param sign      1, or −1 for the gradient
     */
    public static void rotate(Matrix x, int headDim, Matrix angles, int[] positions, int first, int sign) {
        int n = x.columns();
        Row row = Row.of(x, n);
        Row angle = Row.of(x, headDim);
        for (int i = 0; i < x.rows(); i++) {
            angle.load(angles, positions[first + i], 0, headDim);
            row.load(x, i, 0, n).rotate(n / headDim, headDim, angle, sign);
            row.store(x, i, 0, n);
        }
    }

    /**
     * Replaces row t by the softmax of {@code scale} times its visible scores: the first t + 1, or the last {@code window} of
     * these. All others become zero.
     *
     * @param window number of visible scores; 0 for no limit
     */
    public static void causalSoftmax(Matrix scores, double scale, int window) {
        int n = scores.columns();
        Row row = Row.of(scores, n);
        Row zeros = Row.of(scores, n);
        for (int t = 0; t < scores.rows(); t++) {
            int begin = firstSeen(t, window);
            int seen = t + 1 - begin;
            row.load(scores, t, begin, seen);
            row.scale(seen, scale);
            row.exp(seen, row.max(seen));
            row.scale(seen, 1 / row.sum(seen));
            row.fill(seen, n - begin, 0);
            row.store(scores, t, begin, n - begin);
            zeros.store(scores, t, 0, begin);
        }
    }

    /** Replaces the gradient with respect to the probabilities by the gradient with respect to the scores. */
    public static void causalSoftmaxBackward(Matrix probabilities, Matrix gradient, double scale, int window) {
        int n = gradient.columns();
        Row p = Row.of(gradient, n);
        Row d = Row.of(gradient, n);
        Row zeros = Row.of(gradient, n);
        for (int t = 0; t < gradient.rows(); t++) {
            int begin = firstSeen(t, window);
            int seen = t + 1 - begin;
            p.load(probabilities, t, begin, seen);
            d.load(gradient, t, begin, seen);
            d.multiply(seen, p);
            d.add(seen, -d.sum(seen), p);
            d.scale(seen, scale);
            d.fill(seen, n - begin, 0);
            d.store(gradient, t, begin, n - begin);
            zeros.store(gradient, t, 0, begin);
        }
    }

    /**
     * Replaces x by {@code cap·tanh(scale·x / cap)}.
     *
     * @param slope receives the derivative; null for none
     */
    public static void softcap(Matrix x, double scale, double cap, Matrix slope) {
        int n = x.columns();
        Row row = Row.of(x, n);
        Row sigmoid = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.load(x, i, 0, n).scale(n, 2 * scale / cap);
            // tanh(u) = 2·σ(2u) − 1, whose derivative is 4·σ·(1 − σ).
            sigmoid.sigmoid(n, row);
            row.fill(0, n, -cap);
            row.add(n, 2 * cap, sigmoid);
            row.store(x, i, 0, n);
            if (slope != null) {
                row.fill(0, n, 0);
                row.add(n, 4 * scale, sigmoid);
                row.add(n, -4 * scale, sigmoid, sigmoid);
                row.store(slope, i, 0, n);
            }
        }
    }

    /** Computes {@code to = to·from}, elementwise. */
    public static void multiply(Matrix from, Matrix to) {
        int n = from.columns();
        Row product = Row.of(from, n);
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            product.load(to, i, 0, n).multiply(n, row.load(from, i, 0, n));
            product.store(to, i, 0, n);
        }
    }

    private static int firstSeen(int t, int window) {
        return window == 0 ? 0 : Math.max(0, t + 1 - window);
    }
}
