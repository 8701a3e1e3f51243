// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;
import org.potstill.teacher.scoring.Teacher;

/** Totals of this process as an executor since it started, over all jobs; the source of its metrics. */
public final class ExecutorCounters {
    private static final LongAdder TOKENS = new LongAdder();
    private static final LongAdder MODEL_LOADS = new LongAdder();
    private static final LongAdder QUARANTINED = new LongAdder();
    private static final LongAdder HALVINGS = new LongAdder();
    private static final DoubleAdder SECONDS = new DoubleAdder();
    private static final DoubleAdder ENTROPY = new DoubleAdder();
    private static final LongAdder RECEIVED = new LongAdder();
    private static final LongAdder SENT = new LongAdder();
    private static final LongAdder EXCHANGE_NANOS = new LongAdder();

    private ExecutorCounters() {
    }

    public static void loaded(int loads) {
        MODEL_LOADS.add(loads);
    }

    public static void scored(long tokens, double entropySum) {
        TOKENS.add(tokens);
        ENTROPY.add(entropySum);
    }

    public static void unscored() {
        QUARANTINED.increment();
    }

    public static void worked(Teacher.Work work) {
        SECONDS.add(work.seconds());
        HALVINGS.add(work.halvings());
    }

    public static void received(long bytes) {
        RECEIVED.add(bytes);
    }

    public static void sent(long bytes) {
        SENT.add(bytes);
    }

    /** Counts time for which a worker waited for the state that it begins a round with. */
    public static void exchanged(long nanos) {
        EXCHANGE_NANOS.add(nanos);
    }

    static ExecutorReport report() {
        long tokens = TOKENS.sum();
        double seconds = SECONDS.sum();
        return new ExecutorReport(tokens, seconds == 0 ? 0 : tokens / seconds, MODEL_LOADS.sum(), QUARANTINED.sum(), HALVINGS.sum(), ENTROPY.sum(),
                RECEIVED.sum(), SENT.sum(), EXCHANGE_NANOS.sum() / 1e9);
    }
}
