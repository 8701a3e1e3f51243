package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class WorkerSliceTest {
    private static final ModelState BEGIN = new ModelState(random(1, 1000), random(2, 2000));

    @Test
    void slicesJoinToTheWholeWhateverTheirNumber() {
        float[] whole = random(3, 17);
        for (int count = 1; count < 25; count++) {
            Slicing slicing = new Slicing(count);
            float[] joined = new float[17];
            for (int i = 0; i < count; i++) {
                FloatBytes.unpack(FloatBytes.pack(whole, slicing.begin(17, i), slicing.begin(17, i + 1)), joined, slicing.begin(17, i));
            }
            assertArrayEquals(whole, joined);
        }
    }

    @Test
    void noSliceGrowsBeyondAMessageAndEveryWorkerHasOne() {
        assertEquals(64, Slicing.of(BEGIN, 64).count());
        // 1 GiB: a parameter's array alone would do.
        ModelState large = new ModelState(new float[1 << 28], new float[0]);
        assertEquals(16, Slicing.of(large, 2).count());
    }

    @ParameterizedTest
    @EnumSource
    void theAverageWeighsByPositionsAndTheOrderOfArrivalIsOfNoConsequence(Payload payload) {
        Slicing slicing = new Slicing(3);
        double[] parameters = new double[1000];
        double[] moments = new double[2000];
        List<Integer> positions = List.of(3, 1000, 17, 400, 1);
        double total = positions.stream().mapToInt(p -> p).sum();
        List<List<WorkerSlice>> slices = List.of(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
        for (int worker = 0; worker < positions.size(); worker++) {
            float[] end = random(10 + worker, 1000);
            float[] state = random(20 + worker, 2000);
            int weight = positions.get(worker);
            for (int i = 0; i < end.length; i++) {
                parameters[i] += weight / total * end[i];
            }
            for (int i = 0; i < state.length; i++) {
                moments[i] += weight / total * state[i];
            }
            for (int s = 0; s < 3; s++) {
                slices.get(s).add(new WorkerSlice(worker, weight, payload.packParameters(end, BEGIN.parameters(), slicing.begin(1000, s),
                        slicing.begin(1000, s + 1)), payload.packMoments(state, slicing.begin(2000, s), slicing.begin(2000, s + 1)), List.of()));
            }
        }
        double error = payload == Payload.FP32 ? 1e-6 : 5e-3;
        for (int s = 0; s < 3; s++) {
            ModelState average = WorkerSlice.average(slices.get(s), payload, BEGIN, slicing, s);
            assertEquals(slicing.begin(1000, s + 1) - slicing.begin(1000, s), average.parameters().length);
            for (int i = 0; i < average.parameters().length; i++) {
                assertEquals(parameters[slicing.begin(1000, s) + i], average.parameters()[i], error);
            }
            for (int i = 0; i < average.updaterState().length; i++) {
                assertEquals(moments[slicing.begin(2000, s) + i], average.updaterState()[i], error);
            }
            Collections.reverse(slices.get(s));
            ModelState reversed = WorkerSlice.average(slices.get(s), payload, BEGIN, slicing, s);
            assertArrayEquals(average.parameters(), reversed.parameters());
            assertArrayEquals(average.updaterState(), reversed.updaterState());
        }
    }

    @Test
    void aStateIsTheSameAfterItsJourneyAndTakesNoMoreRoomThanItsNumbers() throws Exception {
        ModelState state = new ModelState(random(4, 600_000), random(5, 7));
        state.parameters()[3] = Float.NaN;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(state);
        }
        assertTrue(bytes.size() < state.bytes() + 1000, bytes.size() + " bytes");
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            ModelState arrived = (ModelState) in.readObject();
            assertArrayEquals(state.parameters(), arrived.parameters());
            assertArrayEquals(state.updaterState(), arrived.updaterState());
        }
    }

    private static float[] random(long seed, int length) {
        Random random = new Random(seed);
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
