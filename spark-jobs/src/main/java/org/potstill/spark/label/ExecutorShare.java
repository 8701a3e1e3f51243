package org.potstill.spark.label;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What one executor did of a teacher pass on one GPU.
 *
 * @param executor   its id
 * @param gpu        address that Spark gave its tasks; −1 where the cluster deals out no GPUs
 * @param tokens     scored
 * @param seconds    that the teacher worked
 * @param modelLoads how often it was loaded
 * @param halvings   of batches, for want of memory
 */
public record ExecutorShare(String executor, int gpu, long tokens, double seconds, int modelLoads, int halvings) {
    /** In the order of executors and GPUs. */
    static List<ExecutorShare> of(List<ShardResult> shards) {
        Map<String, ExecutorShare> shares = new TreeMap<>();
        for (ShardResult shard : shards) {
            shares.merge(String.format("%6s %4d", shard.executor(), shard.gpu()), new ExecutorShare(shard.executor(), shard.gpu(),
                    shard.positions(), shard.seconds(), shard.modelLoads(), shard.halvings()), ExecutorShare::plus);
        }
        return List.copyOf(shares.values());
    }

    private ExecutorShare plus(ExecutorShare other) {
        return new ExecutorShare(executor, gpu, tokens + other.tokens, seconds + other.seconds, modelLoads + other.modelLoads,
                halvings + other.halvings);
    }
}
