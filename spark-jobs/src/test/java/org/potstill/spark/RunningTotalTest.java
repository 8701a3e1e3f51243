// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;

class RunningTotalTest {
    /** Static, as the task is a copy, though one in this JVM. */
    private static final CountDownLatch COUNTED = new CountDownLatch(1);

    @Test
    void whatARunningTaskHasDoneCountsBeforeItEnds() throws Exception {
        JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
        LongAccumulator done = sc.sc().longAccumulator("half done");
        try (RunningTotal total = new RunningTotal(sc.sc(), done)) {
            CompletableFuture<Void> job = CompletableFuture.runAsync(() -> sc.parallelize(List.of(1), 1).foreach(one -> {
                done.add(7);
                assertTrue(COUNTED.await(5, TimeUnit.MINUTES));
                done.add(3);
            }));
            try {
                await(total, 7);
                assertEquals(0, done.sum());
            } finally {
                COUNTED.countDown();
            }
            job.get();
            await(total, 10);
            assertEquals(10, done.sum());
        }
    }

    /** Heartbeats and the ends of tasks reach listeners a little later. */
    private static void await(RunningTotal total, long expected) throws InterruptedException {
        Eventually.until(() -> total.getAsLong() == expected, () -> total.getAsLong() + " instead of " + expected);
    }
}
