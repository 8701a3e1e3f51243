// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;

/**
 * Splits work over the threads of {@link #setThreads}, one of which is the caller. The split depends only on the
 * work, so results are bit-identical for any number of threads. Each thread takes the next piece when it finishes one, so a slow
 * thread delays the others by at most one piece.
 */
public final class Slices {
    /** Minimum rows per slice: enough for an efficient matrix product, few enough to balance the load. */
    private static final int MIN_ROWS = 64;
    private static final int MAX_ROWS = 512;
    private static final int SLICES = 4;

    private static volatile int threads = 1;

    private Slices() {
    }

    /** Piece of work on rows {@code [from, to)}. */
    @FunctionalInterface
    public interface Work {
        void run(int from, int to);
    }

    public static void setThreads(int count) {
        threads = count;
    }

    /** Returns the number of rows in each slice but the last. */
    public static int size(int rows) {
        return Math.max(MIN_ROWS, Math.min(MAX_ROWS, (rows + SLICES - 1) / SLICES));
    }

    public static int count(int rows) {
        return (rows + size(rows) - 1) / size(rows);
    }

    public static void run(int rows, Work work) {
        int size = size(rows);
        each(count(rows), i -> work.run(i * size, Math.min(rows, (i + 1) * size)));
    }

    /** Runs pieces 0 to {@code count − 1}, in any order. */
    public static void each(int count, IntConsumer piece) {
        each(threads, count, piece);
    }

    /** Runs pieces as {@link #each(int, IntConsumer)} does, on a given number of threads. */
    public static void each(int threads, int count, IntConsumer piece) {
        AtomicInteger next = new AtomicInteger();
        Runnable takeAll = () -> {
            for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
                piece.accept(i);
            }
        };
        List<ForkJoinTask<?>> others = new ArrayList<>();
        for (int t = 1; t < Math.min(threads, count); t++) {
            others.add(ForkJoinPool.commonPool().submit(takeAll));
        }
        try {
            takeAll.run();
        } finally {
            // Even if a piece failed: no thread may still use memory that the caller then frees.
            others.forEach(ForkJoinTask::quietlyJoin);
        }
        others.forEach(ForkJoinTask::join);
    }

    public static void all(List<Runnable> pieces) {
        each(pieces.size(), i -> pieces.get(i).run());
    }
}
