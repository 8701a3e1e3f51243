// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.Serializable;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;

/**
 * Counters of one executor, or their sums over several.
 *
 * @param tokens          tokens that teachers have scored
 * @param tokensPerSecond per second of scoring time; 0 before anything was scored
 * @param entropy         sum of the teachers' entropies over all tokens scored, in nats
 * @param bytesReceived   by the exchange of states between executors
 * @param exchangeSeconds time for which workers waited for the state that they begin a round with, summed over workers
 */
record ExecutorReport(long tokens, double tokensPerSecond, long modelLoads, long quarantined, long halvings, double entropy, long bytesReceived,
        long bytesSent, double exchangeSeconds) implements Serializable {
    static final ExecutorReport NOTHING = new ExecutorReport(0, 0, 0, 0, 0, 0, 0, 0, 0);

    /** The metrics made of a report, by name. */
    static final Map<String, Function<ExecutorReport, Number>> METRICS = metrics();

    private static Map<String, Function<ExecutorReport, Number>> metrics() {
        Map<String, Function<ExecutorReport, Number>> metrics = new LinkedHashMap<>();
        metrics.put("tokensScored", ExecutorReport::tokens);
        metrics.put("tokensPerSecond", ExecutorReport::tokensPerSecond);
        metrics.put("modelLoads", ExecutorReport::modelLoads);
        metrics.put("sequencesQuarantined", ExecutorReport::quarantined);
        metrics.put("batchHalvings", ExecutorReport::halvings);
        metrics.put("meanEntropy", ExecutorReport::meanEntropy);
        metrics.put("exchangeBytesReceived", ExecutorReport::bytesReceived);
        metrics.put("exchangeBytesSent", ExecutorReport::bytesSent);
        metrics.put("exchangeSeconds", ExecutorReport::exchangeSeconds);
        return metrics;
    }

    /** Returns the mean entropy per token in nats; 0 before anything was scored. */
    double meanEntropy() {
        return tokens == 0 ? 0 : entropy / tokens;
    }

    ExecutorReport plus(ExecutorReport other) {
        return new ExecutorReport(tokens + other.tokens, tokensPerSecond + other.tokensPerSecond, modelLoads + other.modelLoads,
                quarantined + other.quarantined, halvings + other.halvings, entropy + other.entropy, bytesReceived + other.bytesReceived,
                bytesSent + other.bytesSent, exchangeSeconds + other.exchangeSeconds);
    }
}
