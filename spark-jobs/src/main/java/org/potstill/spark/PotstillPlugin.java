// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import java.io.IOException;
import java.io.Serializable;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Adds Potstill's counters to Spark's metrics, for whichever sinks {@code spark.metrics.conf} sets up: an executor has its own; the
 * driver has those of every executor, their sums, and the progress of training. Sessions that Potstill begins have the plugin;
 * elsewhere {@code spark.plugins = org.potstill.spark.PotstillPlugin} switches it on.
 */
public final class PotstillPlugin implements SparkPlugin {
    /** How often executors report. */
    private static final int REPORT_SECONDS = 3;
    private static final Logger LOG = LoggerFactory.getLogger(PotstillPlugin.class);

    @Override
    public DriverPlugin driverPlugin() {
        return new Driver();
    }

    @Override
    public ExecutorPlugin executorPlugin() {
        return new Executor();
    }

    private record Message(String executor, ExecutorReport report) implements Serializable {
    }

    private static final class Driver implements DriverPlugin {
        /** The last report of every executor that there was. */
        private final Map<String, ExecutorReport> reports = new ConcurrentHashMap<>();
        private MetricRegistry metrics;

        @Override
        public void registerMetrics(String application, PluginContext context) {
            metrics = context.metricRegistry();
            register(metrics, "", () -> reports.values().stream().reduce(ExecutorReport.NOTHING, ExecutorReport::plus));
            gauge(metrics, "executorsReporting", reports::size);
            gauge(metrics, "trainingRounds", TrainingProgress::rounds);
            gauge(metrics, "trainingLoss", TrainingProgress::loss);
            gauge(metrics, "trainingKl", TrainingProgress::kl);
        }

        @Override
        public Object receive(Object message) {
            Message told = (Message) message;
            if (reports.put(told.executor(), told.report()) == null) {
                register(metrics, "executor." + told.executor() + ".", () -> reports.get(told.executor()));
            }
            return null;
        }
    }

    private static final class Executor implements ExecutorPlugin {
        private final ScheduledExecutorService reporting = Executors.newSingleThreadScheduledExecutor(DaemonThreads.named("potstill-metrics"));
        private PluginContext context;
        private ScheduledFuture<?> reports;

        @Override
        public void init(PluginContext context, Map<String, String> configuration) {
            this.context = context;
            register(context.metricRegistry(), "", ExecutorCounters::report);
            reports = reporting.scheduleWithFixedDelay(this::report, REPORT_SECONDS, REPORT_SECONDS, TimeUnit.SECONDS);
        }

        private void report() {
            try {
                context.send(new Message(context.executorID(), ExecutorCounters.report()));
            } catch (IOException | RuntimeException e) {
                // An exception would end the reports, which may come through again.
                LOG.debug("the driver has not received this executor's metrics", e);
            }
        }

        @Override
        public void shutdown() {
            reports.cancel(true);
            reporting.shutdown();
        }
    }

    private static void register(MetricRegistry metrics, String prefix, Supplier<ExecutorReport> report) {
        ExecutorReport.METRICS.forEach((name, value) -> gauge(metrics, prefix + name, () -> value.apply(report.get())));
    }

    private static <T> void gauge(MetricRegistry metrics, String name, Supplier<T> value) {
        Gauge<T> gauge = value::get;
        metrics.register(name, gauge);
    }
}
