package org.potstill.student;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.ForkJoinTask;

/** Splits rows over the threads of {@link Student#setThreads}; the caller is one of them. */
final class Slices {
    private static final int MIN_ROWS = 16;

    private static volatile int threads = 1;

    private Slices() {
    }

    /** Work on rows {@code [from, to)}; must not depend on how rows are split. */
    @FunctionalInterface
    interface Work {
        void run(int from, int to);
    }

    static void setThreads(int count) {
        threads = count;
    }

    static int threads() {
        return threads;
    }

    static void run(int rows, Work work) {
        int slices = Math.min(threads, rows / MIN_ROWS);
        if (slices <= 1) {
            work.run(0, rows);
            return;
        }
        List<ForkJoinTask<?>> others = new ArrayList<>(slices - 1);
        for (int i = 1; i < slices; i++) {
            int from = (int) ((long) rows * i / slices);
            int to = (int) ((long) rows * (i + 1) / slices);
            others.add(ForkJoinPool.commonPool().submit(() -> work.run(from, to)));
        }
        work.run(0, (int) ((long) rows / slices));
        others.forEach(ForkJoinTask::join);
    }
}
