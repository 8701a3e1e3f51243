// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.WorkerSetup;

class LocalStepsTest {
    private final TrainingPlan plan = new TrainingPlan(4, 1, 1, 2, 1);
    @TempDir
    Path folder;

    /** Spark tries a failed task again, which would then find its worker's state gone, and say so instead. */
    @Test
    void aStepThatFailsOnceTheWorkersOwnStateIsTakenIsNotTriedAgain() {
        TinyTraining training = new TinyTraining(folder, plan, 1e-2, new OuterOptimizer(0, 1), i -> 5);
        WorkerSetup strict = training.setup(0, Payload.INT8, 1e-6);
        DistributedState state = DistributedState.of(training.sc, training.copy, plan.workers());
        try {
            LocalSteps first = new LocalSteps(strict, training.files, state.layout(), state.source(), state.workersLast(), false, 0, 0);
            String problem = assertThrows(UserException.class, () -> first.train(0)).problem();
            state = new AveragingRound(training.sc, training.setup(0, Payload.INT8), plan, state, training.files, 0, 0, false).run().state();
            LocalSteps second = new LocalSteps(strict, training.files, state.layout(), state.source(), state.workersLast(), false, 0, 1);
            UserException failed = second.train(0).failed();
            assertEquals(problem.replace("step 0", "step 2"), failed.problem());
        } finally {
            state.end();
        }
    }
}
