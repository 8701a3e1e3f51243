// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;
import org.apache.spark.SparkContext;
import org.apache.spark.scheduler.AccumulableInfo;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorMetricsUpdate;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.apache.spark.util.LongAccumulator;

/**
 * An accumulator with what running tasks have added to it: the driver's own value grows only when a task ends, which may
 * take minutes, but executors' heartbeats tell.
 */
final class RunningTotal extends SparkListener implements LongSupplier, AutoCloseable {
    private final SparkContext sc;
    private final LongAccumulator ended;
    private final Map<Long, Long> running = new ConcurrentHashMap<>();

    RunningTotal(SparkContext sc, LongAccumulator accumulator) {
        this.sc = sc;
        this.ended = accumulator;
        sc.addSparkListener(this);
    }

    @Override
    public void onExecutorMetricsUpdate(SparkListenerExecutorMetricsUpdate heartbeat) {
        var tasks = heartbeat.accumUpdates().iterator();
        while (tasks.hasNext()) {
            var task = tasks.next();
            var updates = task._4().iterator();
            while (updates.hasNext()) {
                AccumulableInfo update = updates.next();
                if (update.id() == ended.id() && update.update().isDefined() && update.update().get() instanceof Long value) {
                    running.put((Long) task._1(), value);
                }
            }
        }
    }

    @Override
    public void onTaskEnd(SparkListenerTaskEnd end) {
        running.remove(end.taskInfo().taskId());
    }

    @Override
    public long getAsLong() {
        return ended.sum() + running.values().stream().mapToLong(Long::longValue).sum();
    }

    @Override
    public void close() {
        sc.removeSparkListener(this);
    }
}
