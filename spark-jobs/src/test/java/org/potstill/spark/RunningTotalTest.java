package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.LongAccumulator;
import org.junit.jupiter.api.Test;

class RunningTotalTest {
    @Test
    void whatARunningTaskHasDoneCountsBeforeItEnds() throws Exception {
        JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
        LongAccumulator done = sc.sc().longAccumulator("half done");
        try (RunningTotal total = new RunningTotal(sc.sc(), done)) {
            Thread job = new Thread(() -> sc.parallelize(List.of(1), 1).foreach(one -> {
                done.add(7);
                TimeUnit.SECONDS.sleep(6);
                done.add(3);
            }));
            job.start();
            await(total, 7);
            assertEquals(0, done.sum());
            job.join();
            await(total, 10);
            assertEquals(10, done.sum());
        }
    }

    /** Heartbeats and the ends of tasks reach listeners a little later. */
    private static void await(RunningTotal total, long expected) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
        while (total.getAsLong() != expected && System.nanoTime() < deadline) {
            TimeUnit.MILLISECONDS.sleep(50);
        }
        assertEquals(expected, total.getAsLong());
    }
}
