package org.potstill.student;

/** Everything elementwise in the decoder, row by row; each is one pass over memory, in the calling thread. */
final class Kernels {
    private Kernels() {
    }

    /** {@code to = from}. */
    static void copy(Matrix from, Matrix to) {
        int n = from.columns();
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            row.load(from, i, 0, n).store(to, i, 0, n);
        }
    }

    /** {@code to = to + from}. */
    static void add(Matrix from, Matrix to) {
        int n = from.columns();
        Row sum = Row.of(from, n);
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            sum.load(to, i, 0, n).add(n, 1, row.load(from, i, 0, n));
            sum.store(to, i, 0, n);
        }
    }

    /** Replaces each row of {@code to} by the vector. */
    static void repeat(Matrix vector, Matrix to) {
        int n = to.columns();
        Row row = Row.of(to, n).load(vector, 0, 0, n);
        for (int i = 0; i < to.rows(); i++) {
            row.store(to, i, 0, n);
        }
    }

    /** Adds the vector to each row of {@code to}. */
    static void addToRows(Matrix vector, Matrix to) {
        int n = to.columns();
        Row row = Row.of(to, n).load(vector, 0, 0, n);
        Row sum = Row.of(to, n);
        for (int i = 0; i < to.rows(); i++) {
            sum.load(to, i, 0, n).add(n, 1, row);
            sum.store(to, i, 0, n);
        }
    }

    /** Adds all rows to {@code sum}. */
    static void addRows(Matrix from, Row sum) {
        int n = from.columns();
        Row row = Row.of(from, n);
        for (int i = 0; i < from.rows(); i++) {
            sum.add(n, 1, row.load(from, i, 0, n));
        }
    }

    static void zero(Matrix x) {
        int n = x.columns();
        Row row = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.store(x, i, 0, n);
        }
    }

    /** Embedding look-up: row i of {@code to} is row {@code ids[first + i]} of the table. */
    static void gather(Matrix table, int[] ids, int first, Matrix to) {
        int n = table.columns();
        Row row = Row.of(table, n);
        for (int i = 0; i < to.rows(); i++) {
            row.load(table, ids[first + i], 0, n).store(to, i, 0, n);
        }
    }

    /** Its gradient: adds row i of {@code from} to row {@code ids[i]} of the table; in order, ids repeat. */
    static void scatterAdd(Matrix from, int[] ids, Matrix table) {
        int n = table.columns();
        Row sum = Row.of(table, n);
        Row row = Row.of(table, n);
        for (int i = 0; i < ids.length; i++) {
            sum.load(table, ids[i], 0, n);
            sum.add(n, 1, row.load(from, i, 0, n));
            sum.store(table, ids[i], 0, n);
        }
    }

    /** RMSNorm (Zhang and Sennrich 2019): {@code out = weight · x / sqrt(mean(x²) + eps)}. */
    static void rmsNorm(Matrix x, Matrix weight, double eps, Matrix out) {
        int n = x.columns();
        Row gain = Row.of(x, n).load(weight, 0, 0, n);
        Row row = Row.of(x, n);
        for (int i = 0; i < x.rows(); i++) {
            row.load(x, i, 0, n);
            row.scale(n, 1 / Math.sqrt(row.dot(n, row) / n + eps));
            row.multiply(n, gain);
            row.store(out, i, 0, n);
        }
    }

    /** Adds the gradient by {@code x} to {@code dx}, and that by the weight to {@code dWeight}. */
    static void rmsNormBackward(Matrix dOut, Matrix x, Matrix weight, double eps, Matrix dx, Row dWeight) {
        rmsNormBackward(dOut, x, weight, eps, dx, true, dWeight);
    }

    /** Replaces the gradient by the norm's output with that by {@code x}, and adds that by the weight to {@code dWeight}. */
    static void rmsNormBackward(Matrix gradient, Matrix x, Matrix weight, double eps, Row dWeight) {
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

    /** What the slices of a sum over rows came to, in their order, replaces {@code to}. */
    static void sum(Row[] slices, Matrix to) {
        int n = to.columns();
        Row total = Row.of(to, n);
        for (Row slice : slices) {
            total.add(n, 1, slice);
        }
        total.store(to, 0, 0, n);
    }

    /**
     * Rotary embedding (Su et al. 2021) of heads that lie side by side, in place.
     *
     * @param positions which row of {@code angles} turns which row of {@code x}, from element {@code first} on
     * @param sign 1, or −1 for the gradient
     */
    static void rotate(Matrix x, int headDim, Matrix angles, int[] positions, int first, int sign) {
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
     * Row t becomes the softmax of the scores that it sees, its first t + 1 or the last {@code window} of these, times
     * {@code scale}; the rest becomes zero.
     *
     * @param window 0 for no window
     */
    static void causalSoftmax(Matrix scores, double scale, int window) {
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

    /** Replaces the gradient by the probabilities with the gradient by the scores. */
    static void causalSoftmaxBackward(Matrix probabilities, Matrix gradient, double scale, int window) {
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

    private static int firstSeen(int t, int window) {
        return window == 0 ? 0 : Math.max(0, t + 1 - window);
    }

    /** SwiGLU (Shazeer 2020): {@code out = silu(gate)·up}, where gate and up lie side by side. */
    static void swiGlu(Matrix gateUp, Matrix out) {
        int n = out.columns();
        Row gate = Row.of(out, n);
        Row up = Row.of(out, n);
        Row sigmoid = Row.of(out, n);
        for (int i = 0; i < out.rows(); i++) {
            gate.load(gateUp, i, 0, n);
            up.load(gateUp, i, n, n);
            sigmoid.sigmoid(n, gate);
            sigmoid.multiply(n, gate);
            sigmoid.multiply(n, up);
            sigmoid.store(out, i, 0, n);
        }
    }

    /** Replaces {@code gateUp} by the gradient of both its halves. */
    static void swiGluBackward(Matrix gateUp, Matrix dOut) {
        int n = dOut.columns();
        Row gate = Row.of(dOut, n);
        Row up = Row.of(dOut, n);
        Row sigmoid = Row.of(dOut, n);
        Row dGate = Row.of(dOut, n);
        Row dRow = Row.of(dOut, n);
        for (int i = 0; i < dOut.rows(); i++) {
            gate.load(gateUp, i, 0, n);
            up.load(gateUp, i, n, n);
            dRow.load(dOut, i, 0, n);
            sigmoid.sigmoid(n, gate);
            dGate.siluDerivative(n, gate, sigmoid);
            dGate.multiply(n, up);
            dGate.multiply(n, dRow);
            dGate.store(gateUp, i, 0, n);
            sigmoid.multiply(n, gate);
            sigmoid.multiply(n, dRow);
            sigmoid.store(gateUp, i, n, n);
        }
    }
}
