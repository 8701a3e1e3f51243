package org.potstill.spark.train;

import java.io.Serializable;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.spark.cache.Labels;
import org.potstill.student.TrainingOptions;

/**
 * What a worker must know beyond its data.
 *
 * @param config       shape of the student
 * @param options      how it learns
 * @param labels       whose soft labels it learns from
 * @param cache        names the cache in messages
 * @param coresPerTask threads of one worker
 * @param payload      how it sends what it has learnt
 * @param outer        what becomes of the average
 * @param maxLoss      of a step, in nats per token: training that is beyond has exploded
 */
record WorkerSetup(CausalLmConfig config, TrainingOptions options, Labels labels, String cache, int coresPerTask,
        Payload payload, OuterOptimizer outer, double maxLoss) implements Serializable {
}
