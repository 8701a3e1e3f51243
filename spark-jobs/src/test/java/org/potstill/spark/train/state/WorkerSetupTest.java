// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;

import java.util.List;
import org.apache.commons.lang3.SerializationUtils;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.hardware.Arithmetic;
import org.potstill.spark.hardware.Meter;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;

class WorkerSetupTest {
    /** Each task brings it along, serialized. */
    @Test
    void aSetupThatTravelledToAnExecutorIsTheSame() {
        CausalLmConfig config = new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);
        WorkerSetup setup = new WorkerSetup(config, TrainingOptions.NONE, TrainingEngine.DL4J,
                List.of(new Labels("a", "b", 37, TargetSpec.parse("top-8"))), "cache", 1,
                Averaging.PARAMETERS, 1, Payload.FP16, new OuterOptimizer(0.9, 0.7), new Meter(ModelFlops.of(config), Arithmetic.FP32, 1, 1, 0), 20);
        WorkerSetup travelled = SerializationUtils.clone(setup);
        assertNotSame(setup, travelled);
        assertEquals(setup, travelled);
        assertEquals(setup.hashCode(), travelled.hashCode());
    }
}
