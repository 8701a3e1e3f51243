// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.concurrent.atomic.DoubleAdder;
import java.util.concurrent.atomic.LongAdder;
import org.potstill.teacher.scoring.Teacher;

/** Totals of this executor's teachers since it started, over all jobs; the source of its metrics. */
public final class ExecutorCounters {
    private static final LongAdder TOKENS = new LongAdder();
    private static final LongAdder MODEL_LOADS = new LongAdder();
    private static final LongAdder QUARANTINED = new LongAdder();
    private static final LongAdder HALVINGS = new LongAdder();
    private static final DoubleAdder SECONDS = new DoubleAdder();
    private static final DoubleAdder ENTROPY = new DoubleAdder();

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

    public static long tokens() {
        return TOKENS.sum();
    }

    public static long modelLoads() {
        return MODEL_LOADS.sum();
    }

    public static long quarantined() {
        return QUARANTINED.sum();
    }

    public static long halvings() {
        return HALVINGS.sum();
    }

    /** Returns tokens per second of scoring time; 0 before anything was scored. */
    public static double tokensPerSecond() {
        double seconds = SECONDS.sum();
        return seconds == 0 ? 0 : TOKENS.sum() / seconds;
    }

    /** Returns the mean entropy per token in nats; 0 before anything was scored. */
    public static double meanEntropy() {
        long tokens = TOKENS.sum();
        return tokens == 0 ? 0 : ENTROPY.sum() / tokens;
    }
}
