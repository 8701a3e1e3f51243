// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.io.Serializable;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.hardware.Meter;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;

/**
 * Configuration of a worker, apart from its data.
 *
 * @param config       shape of the student
 * @param options      hyperparameters of training
 * @param engine       what computes the steps
 * @param labels       identity of the soft labels of each teacher
 * @param cache        the cache's name in messages
 * @param coresPerTask threads per worker
 * @param averaging    what is averaged
 * @param overlap      local steps that a worker takes while the average travels; 0 to wait for it
 * @param payload      encoding of what workers send
 * @param outer        optimizer that is applied to the average
 * @param meter        what the student needs and a worker's device can do
 * @param maxLoss      maximum loss of a step, in nats per token; beyond it, training has diverged
 */
public record WorkerSetup(CausalLmConfig config, TrainingOptions options, TrainingEngine engine, List<Labels> labels, String cache, int coresPerTask,
        Averaging averaging, int overlap, Payload payload, OuterOptimizer outer, Meter meter, double maxLoss) implements Serializable {
    /** Returns the encoding of parameters and moments that are averaged together. */
    public Payload wholePayload() {
        return averaging == Averaging.EVERYTHING ? payload : Payload.FP32;
    }
}
