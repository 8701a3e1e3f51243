// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TrainingPlanTest {
    @ParameterizedTest
    @CsvSource({"1,1,1,1", "19,4,2,3", "100,8,3,5", "64,4,4,4", "5,10,7,2"})
    void everySequenceHasOnePlaceAndNoWorkerExceedsItsSteps(long sequences, int batchSize, int workers, int localSteps) {
        TrainingPlan plan = new TrainingPlan(sequences, batchSize, workers, localSteps, 1);
        Map<String, Integer> batchSizes = new TreeMap<>();
        Map<Integer, java.util.Set<Long>> batchesOfPartition = new TreeMap<>();
        for (long index = 0; index < sequences; index++) {
            int partition = plan.partitioner().getPartition(index);
            assertTrue(partition >= 0 && partition < plan.partitioner().numPartitions());
            assertEquals(plan.worker(index), partition % workers);
            assertEquals(plan.round(index), partition / workers);
            batchSizes.merge(partition + "/" + index / batchSize, 1, Integer::sum);
            batchesOfPartition.computeIfAbsent(partition, p -> new java.util.TreeSet<>()).add(index / batchSize);
        }
        assertEquals(plan.batches(), batchSizes.size());
        assertEquals(sequences, batchSizes.values().stream().mapToLong(Integer::longValue).sum());
        assertTrue(batchesOfPartition.values().stream().allMatch(b -> b.size() <= localSteps));
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
