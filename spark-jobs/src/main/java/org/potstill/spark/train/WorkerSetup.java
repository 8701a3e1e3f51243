package org.potstill.spark.train;

import java.io.Serializable;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.spark.cache.Labels;
import org.potstill.student.TrainingOptions;

/**
 * Configuration of a worker, apart from its data.
 *
 * @param config       shape of the student
 * @param options      hyperparameters of training
 * @param labels       identity of the soft labels
 * @param cache        the cache's name in messages
 * @param coresPerTask threads per worker
 * @param payload      encoding of the worker's results
 * @param outer        optimizer that is applied to the average
 * @param maxLoss      maximum loss of a step, in nats per token; beyond it, training has diverged
 */
record WorkerSetup(CausalLmConfig config, TrainingOptions options, Labels labels, String cache, int coresPerTask,
        Payload payload, OuterOptimizer outer, double maxLoss) implements Serializable {
}
