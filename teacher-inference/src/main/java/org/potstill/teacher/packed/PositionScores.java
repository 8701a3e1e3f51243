// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.util.Arrays;
import org.potstill.kernels.FloatValues;

/**
 * The soft targets of one position from its logits, which arrive in chunks: the k most probable ids, ties by smaller id, the
 * distribution's sum and entropy, and draws. A chunk's masses are summed in single precision, relative to its largest logit, and
 * all else in double precision. {@link org.potstill.teacher.scoring.LogitScores} computes the same slowly.
 */
final class PositionScores {
    /** Masses summed at once while looking for a draw. */
    private static final int BLOCK = 64;

    private final int k;
    private final int[] ids;
    private final float[] logits;
    private final float[] maxima;
    private final double[] masses;
    private final double[] weighted;
    private int kept;
    private float nextLogit = Float.NaN;
    private float max;
    private double sum;

    /** @param k number of most probable ids, at most the vocabulary */
    PositionScores(int k, int chunks) {
        this.k = k;
        this.ids = new int[k];
        this.logits = new float[k];
        this.maxima = new float[chunks];
        this.masses = new double[chunks];
        this.weighted = new double[chunks];
    }

    /**
     * Adds the logits of a chunk; chunks arrive in order.
     *
     * @param row   the logits; overwritten
     * @param copy  memory of the same length
     * @param first id of the first
     * @param next  the target token
     */
    void add(int chunk, FloatValues row, FloatValues copy, int n, int first, int next) {
        if (next >= first && next < first + n) {
            nextLogit = row.values[next - first];
        }
        keep(row, n, first);
        System.arraycopy(row.values, 0, copy.values, 0, n);
        float largest = (float) row.max(n);
        row.exp(n, largest);
        maxima[chunk] = largest;
        masses[chunk] = row.sum(n);
        weighted[chunk] = row.dot(n, copy);
    }

    /** Completes the sums after the last chunk. */
    void end() {
        max = Float.NEGATIVE_INFINITY;
        for (float each : maxima) {
            max = Math.max(max, each);
        }
        sum = 0;
        for (int chunk = 0; chunk < maxima.length; chunk++) {
            sum += mass(chunk);
        }
        for (int size = kept - 1; size > 0; size--) {
            swap(0, size);
            sink(0, size);
        }
    }

    private double mass(int chunk) {
        return masses[chunk] * Math.exp((double) maxima[chunk] - max);
    }

    int[] ids() {
        return ids;
    }

    double probability(int i) {
        return Math.exp((double) logits[i] - max - Math.log(sum));
    }

    /** Returns the log-probability of the target token; NaN if the logits are not finite. */
    float nextLogProbability() {
        return (float) Math.min(0, (double) nextLogit - max - Math.log(sum));
    }

    float entropy() {
        double mean = 0;
        for (int chunk = 0; chunk < maxima.length; chunk++) {
            mean += weighted[chunk] * Math.exp((double) maxima[chunk] - max);
        }
        return (float) (Math.log(sum) + max - mean / sum);
    }

    /** Logits of the position that {@link #draw} reads again. */
    @FunctionalInterface
    interface Chunks {
        /** Reads a chunk's logits and returns their number. */
        int load(int chunk, FloatValues row);
    }

    /**
     * Draws ids outside the k most probable.
     *
     * @param points ascending, in [0, 1)
     * @param drawn  receives an id per point, from {@code at} on
     * @param firsts first id of a chunk is {@code chunk · firsts}
     * @return the mass of all ids outside the k most probable
     */
    double draw(double[] points, Chunks chunks, FloatValues row, int firsts, int[] drawn, int at) {
        double[] left = new double[maxima.length];
        for (int chunk = 0; chunk < left.length; chunk++) {
            left[chunk] = mass(chunk);
        }
        for (int i = 0; i < kept; i++) {
            left[ids[i] / firsts] -= Math.exp((double) logits[i] - max);
        }
        double total = 0;
        for (int chunk = 0; chunk < left.length; chunk++) {
            left[chunk] = Math.max(0, left[chunk]);
            total += left[chunk];
        }
        int[] excluded = Arrays.copyOf(ids, kept);
        Arrays.sort(excluded);
        double before = 0;
        int point = 0;
        for (int chunk = 0; chunk < left.length && point < points.length; chunk++) {
            double end = before + left[chunk];
            int to = point;
            while (to < points.length && (points[to] * total < end || chunk == left.length - 1)) {
                to++;
            }
            if (to > point) {
                int n = chunks.load(chunk, row);
                row.exp(n, max);
                for (int id : excluded) {
                    if (id / firsts == chunk) {
                        row.values[id - chunk * firsts] = 0;
                    }
                }
                find(row.values, n, before, points, total, point, to, chunk * firsts, drawn, at);
                point = to;
            }
            before = end;
        }
        return total / sum;
    }

    /** Finds the ids of some points in a chunk; those beyond its masses, by rounding, get its last id with a mass. */
    private static void find(float[] masses, int n, double before, double[] points, double total, int point, int to, int first, int[] drawn, int at) {
        double cumulative = before;
        int last = 0;
        int next = point;
        for (int from = 0; from < n && next < to; from += BLOCK) {
            int end = Math.min(n, from + BLOCK);
            double block = sum(masses, from, end);
            if (block > 0 && points[next] * total < cumulative + block) {
                double within = cumulative;
                for (int v = from; v < end && next < to; v++) {
                    within += masses[v];
                    while (next < to && points[next] * total < within) {
                        drawn[at + next++] = first + v;
                    }
                }
            }
            cumulative += block;
        }
        if (next < to) {
            for (int v = 0; v < n; v++) {
                last = masses[v] > 0 ? v : last;
            }
            while (next < to) {
                drawn[at + next++] = first + last;
            }
        }
    }

    private static double sum(float[] masses, int from, int to) {
        float a = 0;
        float b = 0;
        float c = 0;
        float d = 0;
        int i = from;
        for (; i + 3 < to; i += 4) {
            a += masses[i];
            b += masses[i + 1];
            c += masses[i + 2];
            d += masses[i + 3];
        }
        for (; i < to; i++) {
            a += masses[i];
        }
        return (double) a + b + c + d;
    }

    /** Keeps the k largest logits in a heap with the smallest, among equals the one with the largest id, on top. */
    private void keep(FloatValues row, int n, int first) {
        if (k == 0) {
            return;
        }
        int v = 0;
        for (; v < n && kept < k; v++) {
            ids[kept] = first + v;
            logits[kept++] = row.values[v];
            if (kept == k) {
                for (int root = k / 2 - 1; root >= 0; root--) {
                    sink(root, k);
                }
            }
        }
        for (v = row.firstAbove(logits[0], v, n); v < n; v = row.firstAbove(logits[0], v + 1, n)) {
            ids[0] = first + v;
            logits[0] = row.values[v];
            sink(0, k);
        }
    }

    private void sink(int root, int size) {
        int parent = root;
        for (int child = 2 * parent + 1; child < size; child = 2 * parent + 1) {
            if (child + 1 < size && isWorse(child + 1, child)) {
                child++;
            }
            if (!isWorse(child, parent)) {
                return;
            }
            swap(parent, child);
            parent = child;
        }
    }

    private boolean isWorse(int a, int b) {
        return logits[a] < logits[b] || (logits[a] == logits[b] && ids[a] > ids[b]);
    }

    private void swap(int a, int b) {
        int id = ids[a];
        ids[a] = ids[b];
        ids[b] = id;
        float logit = logits[a];
        logits[a] = logits[b];
        logits[b] = logit;
    }
}
