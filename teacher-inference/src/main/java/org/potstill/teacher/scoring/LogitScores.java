// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.Arrays;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.potstill.softlabels.TargetSpec;

/**
 * Soft targets of one sequence from its full logits, on the heap: the k most probable ids, ties by smaller id;
 * log-probabilities from a log-sum-exp in double precision; and draws by a walk along the cumulative masses, which the ONNX
 * graph does in steps ({@code CategoricalDraws}). Costs 5 ns per logit and thread.
 */
public final class LogitScores {
    private final int[] sequence;
    private final int vocabSize;
    private final int k;
    private final int draws;
    private final DrawPoints points;
    private final int[] ids;
    private final float[] probabilities;
    private final int[] drawn;
    private final double[] drawnMass;
    private final float[] next;
    private final float[] entropies;

    public LogitScores(int[] sequence, int vocabSize, TargetSpec spec) {
        this.sequence = sequence;
        this.vocabSize = vocabSize;
        this.k = Math.min(spec.k(), vocabSize);
        this.draws = spec.draws();
        this.points = new DrawPoints(sequence, spec);
        int positions = sequence.length - 1;
        this.drawn = new int[positions * draws];
        this.drawnMass = new double[positions];
        this.ids = new int[positions * k];
        this.probabilities = new float[positions * k];
        this.next = new float[positions];
        this.entropies = new float[positions];
    }

    /**
     * Adds the targets of some positions, in parallel.
     *
     * @param logits row-major {@code [positions, vocabSize]}
     */
    public void add(int firstPosition, int positions, float[] logits, ForkJoinPool pool) {
        pool.submit(() -> IntStream.range(0, positions).parallel()
                .forEach(row -> add(firstPosition + row, logits, row * vocabSize))).join();
    }

    private void add(int position, float[] logits, int from) {
        int first = position * k;
        float max = select(logits, from, first);
        double sum = 0;
        double weighted = 0;
        double[] masses = new double[draws == 0 ? 0 : vocabSize];
        for (int v = 0; v < vocabSize; v++) {
            double below = (double) logits[from + v] - max;
            double mass = Math.exp(below);
            sum += mass;
            if (draws > 0) {
                masses[v] = mass;
            }
            // Skips zero mass: 0 · −∞ would be NaN.
            weighted += mass == 0 ? 0 : mass * below;
        }
        double logSum = Math.log(sum);
        entropies[position] = (float) (logSum - weighted / sum);
        next[position] = (float) Math.min(0, (double) logits[from + sequence[position + 1]] - max - logSum);
        for (int i = first; i < first + k; i++) {
            probabilities[i] = (float) Math.exp((double) logits[from + ids[i]] - max - logSum);
            if (draws > 0) {
                masses[ids[i]] = 0;
            }
        }
        if (draws > 0) {
            drawnMass[position] = draw(position, masses) / sum;
        }
    }

    /**
     * Draws the ids of one position.
     *
     * @return the total mass
     */
    private double draw(int position, double[] masses) {
        double total = 0;
        for (double mass : masses) {
            total += mass;
        }
        double[] targets = points.at(position);
        double cumulative = 0;
        int draw = 0;
        for (int v = 0; v < vocabSize; v++) {
            cumulative += masses[v];
            while (draw < draws && targets[draw] * total < cumulative) {
                drawn[position * draws + draw++] = v;
            }
        }
        return total;
    }

    /** Puts the ids of the k largest logits into {@code ids[first…]}, largest first, and returns the largest logit. */
    private float select(float[] logits, int from, int first) {
        float max = Float.NEGATIVE_INFINITY;
        if (k == 0) {
            for (int v = from; v < from + vocabSize; v++) {
                max = Math.max(max, logits[v]);
            }
            return max;
        }
        for (int v = 0; v < k; v++) {
            ids[first + v] = v;
            max = Math.max(max, logits[from + v]);
        }
        // A heap with the smallest on top, to be replaced by anything larger.
        for (int root = k / 2 - 1; root >= 0; root--) {
            sink(logits, from, first, root, k);
        }
        for (int v = k; v < vocabSize; v++) {
            float logit = logits[from + v];
            if (logit > logits[from + ids[first]]) {
                ids[first] = v;
                sink(logits, from, first, 0, k);
                max = Math.max(max, logit);
            }
        }
        for (int size = k - 1; size > 0; size--) {
            swap(first, first + size);
            sink(logits, from, first, 0, size);
        }
        return max;
    }

    private void sink(float[] logits, int from, int first, int root, int size) {
        int parent = root;
        for (int child = 2 * parent + 1; child < size; child = 2 * parent + 1) {
            if (child + 1 < size && isWorse(logits, from, ids[first + child + 1], ids[first + child])) {
                child++;
            }
            if (!isWorse(logits, from, ids[first + child], ids[first + parent])) {
                return;
            }
            swap(first + parent, first + child);
            parent = child;
        }
    }

    private static boolean isWorse(float[] logits, int from, int a, int b) {
        float one = logits[from + a];
        float other = logits[from + b];
        return one < other || (one == other && a > b);
    }

    private void swap(int a, int b) {
        int id = ids[a];
        ids[a] = ids[b];
        ids[b] = id;
    }

    public ScoredSequence result() {
        TargetsBuilder targets = new TargetsBuilder(next.length, k, draws);
        for (int t = 0; t < next.length; t++) {
            if (Float.isNaN(next[t])) {
                return ScoredSequence.notFinite(t);
            }
            for (int i = t * k; i < (t + 1) * k; i++) {
                targets.add(ids[i], probabilities[i]);
            }
            targets.endPosition(Arrays.copyOfRange(drawn, t * draws, (t + 1) * draws), drawnMass[t]);
        }
        return ScoredSequence.of(targets.build(), next, entropies);
    }
}
