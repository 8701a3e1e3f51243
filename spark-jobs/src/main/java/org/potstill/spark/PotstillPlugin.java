// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import com.codahale.metrics.Gauge;
import com.codahale.metrics.MetricRegistry;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;

/**
 * Adds what the teachers do to each executor's metrics, for whichever sinks {@code spark.metrics.conf} sets up. Sessions
 * that Potstill begins have it; elsewhere {@code spark.plugins = org.potstill.spark.PotstillPlugin} switches it on.
 */
public final class PotstillPlugin implements SparkPlugin {
    @Override
    public DriverPlugin driverPlugin() {
        return null;
    }

    @Override
    public ExecutorPlugin executorPlugin() {
        return new ExecutorPlugin() {
            @Override
            public void init(PluginContext context, Map<String, String> configuration) {
                register(context.metricRegistry());
            }
        };
    }

    private static void register(MetricRegistry metrics) {
        gauge(metrics, "tokensScored", ExecutorCounters::tokens);
        gauge(metrics, "tokensPerSecond", ExecutorCounters::tokensPerSecond);
        gauge(metrics, "modelLoads", ExecutorCounters::modelLoads);
        gauge(metrics, "sequencesQuarantined", ExecutorCounters::quarantined);
        gauge(metrics, "batchHalvings", ExecutorCounters::halvings);
        gauge(metrics, "meanEntropy", ExecutorCounters::meanEntropy);
    }

    private static <T> void gauge(MetricRegistry metrics, String name, Supplier<T> value) {
        Gauge<T> gauge = value::get;
        metrics.register(name, gauge);
    }
}
