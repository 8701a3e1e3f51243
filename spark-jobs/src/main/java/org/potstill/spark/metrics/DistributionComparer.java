// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.metrics;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.potstill.student.LogitComparison;
import org.potstill.student.LogitComparison.Logits;

/** Compares whole next-token distributions of several models with the teacher's, on several threads. */
public final class DistributionComparer implements AutoCloseable {
    private final int vocabSize;
    private final ForkJoinPool pool;
    private final Deque<LogitComparison> idle = new ArrayDeque<>();

    /** @param vocabSize ids that the distributions are over; models may have logits of more */
    public DistributionComparer(int vocabSize, int threads) {
        this.vocabSize = vocabSize;
        this.pool = new ForkJoinPool(threads);
    }

    /** @param array row-major {@code [positions, columns]}, of which the first {@code vocabSize} columns are compared */
    public Logits logits(float[] array, int columns) {
        return (position, target) -> System.arraycopy(array, position * columns, target, 0, vocabSize);
    }

    /**
     * Compares models with the teacher on a sequence. The result does not depend on the number of threads.
     *
     * @param tokens of the sequence; position t predicts token t + 1
     * @return one comparison per model, in order
     */
    public List<Comparison> compare(Logits teacher, List<Logits> models, int[] tokens) {
        return compare(teacher, models, tokens, null);
    }

    /**
     * Compares models likewise at some positions.
     *
     * @param counted mask of the positions to compare at; null for all
     */
    public List<Comparison> compare(Logits teacher, List<Logits> models, int[] tokens, boolean[] counted) {
        int positions = tokens.length - 1;
        LogitComparison.Result[][] results = new LogitComparison.Result[models.size()][positions];
        pool.submit(() -> IntStream.range(0, positions).filter(t -> counted == null || counted[t]).parallel().forEach(t -> {
            LogitComparison comparison = borrow();
            comparison.refer(teacher, t);
            for (int m = 0; m < models.size(); m++) {
                results[m][t] = comparison.compare(models.get(m), t, tokens[t + 1]);
            }
            giveBack(comparison);
        })).join();
        List<Comparison> sums = new ArrayList<>();
        for (int m = 0; m < models.size(); m++) {
            sums.add(Comparison.sum(results[m], tokens));
        }
        return sums;
    }

    private synchronized LogitComparison borrow() {
        return idle.isEmpty() ? new LogitComparison(vocabSize) : idle.pop();
    }

    private synchronized void giveBack(LogitComparison comparison) {
        idle.push(comparison);
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
