package org.potstill.teacher;

import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.potstill.softlabels.SoftTargets;

/**
 * Soft targets of one sequence from its full logits, on the heap: the k most probable ids, the smaller id first among
 * equals, and log-probabilities from a log-sum-exp in double precision. Costs 5 ns a logit and thread.
 */
final class LogitScores {
    private final int[] sequence;
    private final int vocabSize;
    private final int k;
    private final int[] ids;
    private final float[] probabilities;
    private final float[] next;
    private final float[] entropies;

    /** @param k at most {@code vocabSize} */
    LogitScores(int[] sequence, int vocabSize, int k) {
        this.sequence = sequence;
        this.vocabSize = vocabSize;
        this.k = k;
        int positions = sequence.length - 1;
        this.ids = new int[positions * k];
        this.probabilities = new float[positions * k];
        this.next = new float[positions];
        this.entropies = new float[positions];
    }

    /** @param logits row-major {@code [positions, vocabSize]} */
    void add(int firstPosition, int positions, float[] logits, ForkJoinPool pool) {
        pool.submit(() -> IntStream.range(0, positions).parallel()
                .forEach(row -> add(firstPosition + row, logits, row * vocabSize))).join();
    }

    private void add(int position, float[] logits, int from) {
        int first = position * k;
        float max = select(logits, from, first);
        double sum = 0;
        double weighted = 0;
        for (int v = 0; v < vocabSize; v++) {
            double below = (double) logits[from + v] - max;
            double mass = Math.exp(below);
            sum += mass;
            // Nothing of what is certain not to be: zero times minus infinity is no number.
            weighted += mass == 0 ? 0 : mass * below;
        }
        double logSum = Math.log(sum);
        entropies[position] = (float) (logSum - weighted / sum);
        next[position] = (float) Math.min(0, (double) logits[from + sequence[position + 1]] - max - logSum);
        for (int i = first; i < first + k; i++) {
            // Rounding may carry a sure token past one, and a hopeless one to zero, which targets may not be.
            double p = Math.exp((double) logits[from + ids[i]] - max - logSum);
            probabilities[i] = (float) Math.min(1, Math.max(Float.MIN_NORMAL, p));
        }
        OnnxEngine.orderTies(ids, probabilities, first, first + k);
    }

    /** Puts the ids of the k largest logits into {@code ids[first…]}, the best first, and gives the largest logit. */
    private float select(float[] logits, int from, int first) {
        float max = Float.NEGATIVE_INFINITY;
        for (int v = 0; v < k; v++) {
            ids[first + v] = v;
            max = Math.max(max, logits[from + v]);
        }
        // A heap with the worst on top, which a better one replaces.
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

    ScoredSequence result() {
        int[] offsets = new int[next.length + 1];
        for (int t = 0; t < next.length; t++) {
            offsets[t + 1] = (t + 1) * k;
            if (Float.isNaN(next[t])) {
                return ScoredSequence.notFinite(t);
            }
        }
        return ScoredSequence.of(new SoftTargets(offsets, ids, probabilities), next, entropies);
    }
}
