// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * Share of a teacher pass done by one executor on one GPU.
 *
 * @param executor   the executor's id
 * @param gpu        GPU address that Spark assigned to its tasks; −1 if the cluster does not schedule GPUs
 * @param tokens     scored tokens
 * @param seconds    time that the teacher spent scoring
 * @param modelLoads number of times the teacher was loaded
 * @param halvings   number of times the batch size was halved because memory ran out
 */
public record ExecutorShare(String executor, int gpu, long tokens, double seconds, int modelLoads, int halvings) {
    /** Sums results per executor and GPU, in this order. */
    static List<ExecutorShare> of(List<ShardResult> shards) {
        Map<String, ExecutorShare> shares = new TreeMap<>();
        for (ShardResult shard : shards) {
            shares.merge(String.format(Locale.ROOT, "%6s %4d", shard.executor(), shard.gpu()), new ExecutorShare(shard.executor(), shard.gpu(),
                    shard.positions(), shard.seconds(), shard.modelLoads(), shard.halvings()), ExecutorShare::plus);
        }
        return List.copyOf(shares.values());
    }

    private ExecutorShare plus(ExecutorShare other) {
        return new ExecutorShare(executor, gpu, tokens + other.tokens, seconds + other.seconds, modelLoads + other.modelLoads,
                halvings + other.halvings);
    }
}
