// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingPlanTest {
    @ParameterizedTest
    @CsvSource({"1,1,1,1", "19,4,2,3", "100,8,3,5", "64,4,4,4", "5,10,7,2"})
    void everySequenceHasOneSlotAndAWorkersAreConsecutive(long sequences, int batchSize, int workers, int localSteps) {
        TrainingPlan plan = new TrainingPlan(sequences, batchSize, workers, localSteps, 1);
        Set<Long> slots = new TreeSet<>();
        for (long index = 0; index < sequences; index++) {
            int round = (int) (index / batchSize / workers / localSteps);
            int worker = (int) (index / batchSize % workers);
            long first = plan.firstSlot(round, worker);
            assertTrue(plan.slot(index) >= first && plan.slot(index) < first + (long) localSteps * batchSize);
            assertTrue(slots.add(plan.slot(index)));
        }
        assertTrue(plan.slots() > List.copyOf(slots).get(slots.size() - 1));
        long read = 0;
        for (int round = 0; round < plan.roundsPerEpoch(); round++) {
            for (int worker = 0; worker < workers; worker++) {
                long slot = plan.firstSlot(round, worker);
                for (int step = 0; step < plan.steps(round, worker); step++) {
                    assertTrue(plan.batch(round, worker, step) > 0);
                    for (int i = 0; i < plan.batch(round, worker, step); i++, slot++, read++) {
                        assertTrue(slots.contains(slot), slot + " of round " + round + ", worker " + worker);
                    }
                }
            }
        }
        assertEquals(sequences, read);
        assertTrue(plan.roundsPerEpoch() * localSteps >= plan.stepsPerEpoch());
    }

    @Test
    void stepsAreCountedOverAllEpochs() {
        TrainingPlan plan = new TrainingPlan(100, 4, 2, 5, 3);
        assertEquals(13, plan.stepsPerEpoch());
        assertEquals(3, plan.roundsPerEpoch());
        assertEquals(39, plan.totalSteps());
        assertEquals(13 + 5, plan.firstStep(1, 1));
    }
}
