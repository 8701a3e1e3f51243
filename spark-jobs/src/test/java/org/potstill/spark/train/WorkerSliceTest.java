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
    /** Some chunks and a piece. */
    private static final int SIZE = 2 * FloatChunks.CHUNK + 1000;
    private static final OuterOptimizer NONE = new OuterOptimizer(0, 1);

    @Test
    void slicesJoinToTheWholeWhateverTheirNumber() {
        ModelState whole = new ModelState(random(3, 17), random(4, 2 * 17), random(5, 17));
        for (int count = 1; count < 25; count++) {
            List<StateSlice> slices = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                slices.add(whole.slice(new Slicing(count), i));
            }
            assertSame(whole, ModelState.join(slices));
        }
    }

    @Test
    void noSliceGrowsBeyondAMessageAndEveryWorkerHasOne() {
        assertEquals(64, Slicing.of(new ModelState(new float[10], new float[20], new float[0]), 64).count());
        // 1 GiB: a parameter's array alone would do.
        ModelState large = new ModelState(new float[1 << 28], new float[0], new float[0]);
        assertEquals(16, Slicing.of(large, 2).count());
    }

    @ParameterizedTest
    @EnumSource
    void theAverageWeighsByPositionsAndTheOrderOfArrivalIsOfNoConsequence(Payload payload) {
        ModelState begin = new ModelState(random(1, SIZE), random(2, 2 * SIZE), random(3, SIZE));
        StateSlice slice = begin.slice(new Slicing(1), 0);
        double[] parameters = new double[SIZE];
        double[] moments = new double[2 * SIZE];
        List<Integer> positions = List.of(3, 1000, 17, 400, 1);
        double total = positions.stream().mapToInt(p -> p).sum();
        List<WorkerSlice> slices = new ArrayList<>();
        for (int worker = 0; worker < positions.size(); worker++) {
            float[] end = random(10 + worker, SIZE);
            float[] state = random(20 + worker, 2 * SIZE);
            int weight = positions.get(worker);
            for (int i = 0; i < end.length; i++) {
                parameters[i] += weight / total * end[i];
            }
            for (int i = 0; i < state.length; i++) {
                moments[i] += weight / total * state[i];
            }
            FloatChunks ended = FloatChunks.copyOf(end, 0, SIZE);
            FloatChunks moved = FloatChunks.copyOf(state, 0, 2 * SIZE);
            byte[][] packedParameters = new byte[ended.count()][];
            for (int c = 0; c < packedParameters.length; c++) {
                packedParameters[c] = payload.packParameters(ended.chunk(c), slice.parameters().chunk(c));
            }
            byte[][] packedMoments = new byte[moved.count()][];
            for (int c = 0; c < packedMoments.length; c++) {
                packedMoments[c] = payload.packMoments(moved.chunk(c));
            }
            slices.add(new WorkerSlice(worker, weight, packedParameters, packedMoments, List.of()));
        }
        ModelState average = ModelState.join(List.of(WorkerSlice.average(slices, payload, NONE, slice)));
        double error = payload == Payload.FP32 ? 1e-6 : 5e-3;
        for (int i = 0; i < SIZE; i++) {
            assertEquals(parameters[i], average.parameters()[i], error);
        }
        for (int i = 0; i < 2 * SIZE; i++) {
            assertEquals(moments[i], average.updaterState()[i], error);
        }
        Collections.reverse(slices);
        assertSame(average, ModelState.join(List.of(WorkerSlice.average(slices, payload, NONE, slice))));

        OuterOptimizer outer = new OuterOptimizer(0.9, 0.7);
        ModelState stepped = ModelState.join(List.of(WorkerSlice.average(slices, payload, outer, slice)));
        float[] momentum = outer.momentum(begin.parameters(), average.parameters(), begin.momentum());
        assertSame(new ModelState(outer.step(begin.parameters(), average.parameters(), momentum), average.updaterState(), momentum), stepped);
        assertSame(begin, ModelState.join(List.of(slice)));
    }

    @Test
    void aSliceIsTheSameAfterItsJourneyAndTakesNoMoreRoomThanItsNumbers() throws Exception {
        ModelState state = new ModelState(random(4, 600_000), random(5, 7), new float[0]);
        state.parameters()[3] = Float.NaN;
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
            out.writeObject(state.slice(new Slicing(1), 0));
        }
        assertTrue(bytes.size() < 1.01 * state.bytes() + 1000, bytes.size() + " bytes");
        try (ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            assertSame(state, ModelState.join(List.of((StateSlice) in.readObject())));
        }
    }

    private static void assertSame(ModelState expected, ModelState actual) {
        assertArrayEquals(expected.parameters(), actual.parameters());
        assertArrayEquals(expected.updaterState(), actual.updaterState());
        assertArrayEquals(expected.momentum(), actual.momentum());
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
