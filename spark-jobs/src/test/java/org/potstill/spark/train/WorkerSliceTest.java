package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WorkerSliceTest {
    @Test
    void slicesJoinToTheWholeWhateverTheirNumber() {
        float[] whole = new float[17];
        for (int i = 0; i < whole.length; i++) {
            whole[i] = i;
        }
        for (int count = 1; count < 25; count++) {
            List<Float> joined = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                for (float value : WorkerSlice.of(0, 1, whole, new float[0], List.of(), i, count).state().parameters()) {
                    joined.add(value);
                }
            }
            assertEquals(17, joined.size());
            assertEquals(16f, joined.get(16));
        }
    }

    @Test
    void theAverageWeighsByPositionsAndTheOrderOfArrivalIsOfNoConsequence() {
        Random random = new Random(1);
        List<WorkerSlice> slices = new ArrayList<>();
        double[] expected = new double[50];
        double total = 0;
        for (int worker = 0; worker < 5; worker++) {
            float[] values = new float[50];
            int positions = 1 + random.nextInt(1000);
            for (int i = 0; i < 50; i++) {
                values[i] = random.nextFloat();
                expected[i] += (double) positions * values[i];
            }
            total += positions;
            slices.add(new WorkerSlice(worker, positions, new ModelState(values, values), List.of()));
        }
        ModelState average = WorkerSlice.average(slices);
        for (int i = 0; i < 50; i++) {
            assertEquals(expected[i] / total, average.parameters()[i], 1e-6);
        }
        Collections.reverse(slices);
        assertArrayEquals(average.parameters(), WorkerSlice.average(slices).parameters());
        assertArrayEquals(average.updaterState(), average.parameters());
    }
}
