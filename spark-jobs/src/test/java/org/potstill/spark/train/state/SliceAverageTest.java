// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SliceAverageTest {
    /** Some chunks and a piece. */
    private static final int SIZE = 2 * Payload.CHUNK + 1000;
    private static final OuterOptimizer NONE = new OuterOptimizer(0, 1);

    @Test
    void slicesJoinToTheWholeWhateverTheirNumber() {
        ModelState whole = new ModelState(random(3, 17), random(4, 2 * 17), random(5, 17));
        for (int count = 1; count < 25; count++) {
            StateLayout layout = new StateLayout(17, 2 * 17, 17, count);
            ModelState joined = ModelState.blank(layout);
            int bytes = 0;
            for (int i = 0; i < count; i++) {
                byte[] slice = whole.cut(layout, i);
                assertEquals(layout.slice(i).bytes(), slice.length);
                bytes += slice.length;
                joined.paste(slice, layout, i);
            }
            assertSame(whole, joined);
            assertEquals(layout.bytes(), bytes);
        }
    }

    @Test
    void noSliceGrowsBeyondAMessageAndEveryWorkerHasOne() {
        assertEquals(64, StateLayout.of(10, 20, 0, 64).slices());
        // 1 GiB.
        assertEquals(16, StateLayout.of(1 << 28, 0, 0, 2).slices());
        // All workers' values of one slice are in memory together.
        assertEquals(64 * 4, StateLayout.of(1 << 28, 0, 0, 64).slices());
    }

    @ParameterizedTest
    @EnumSource(names = {"FP32", "FP16"})
    void theAverageWeighsByPositionsAndTheOuterOptimizerStepsFromIt(Payload payload) {
        ModelState begin = new ModelState(random(1, SIZE), random(2, 2 * SIZE), random(3, SIZE));
        StateLayout layout = new StateLayout(SIZE, 2 * SIZE, SIZE, 1);
        byte[] before = begin.cut(layout, 0);
        double[] parameters = new double[SIZE];
        double[] moments = new double[2 * SIZE];
        long[] positions = {3, 1000, 17, 400, 1};
        double total = Arrays.stream(positions).sum();
        List<ByteBuffer> packed = new ArrayList<>();
        List<ByteBuffer> packedMoments = new ArrayList<>();
        for (int worker = 0; worker < positions.length; worker++) {
            float[] end = random(10 + worker, SIZE);
            float[] state = random(20 + worker, 2 * SIZE);
            for (int i = 0; i < end.length; i++) {
                parameters[i] += positions[worker] / total * end[i];
            }
            for (int i = 0; i < state.length; i++) {
                moments[i] += positions[worker] / total * state[i];
            }
            packed.add(payload.packParameters(bytes(end), FloatBuffer.wrap(begin.parameters())));
            packedMoments.add(payload.packMoments(bytes(state)));
        }
        ModelState average = average(layout, payload, NONE, before, packed, packedMoments, positions);
        double error = payload == Payload.FP32 ? 1e-6 : 5e-3;
        for (int i = 0; i < SIZE; i++) {
            assertEquals(parameters[i], average.parameters()[i], error);
        }
        for (int i = 0; i < 2 * SIZE; i++) {
            assertEquals(moments[i], average.updaterState()[i], error);
        }

        OuterOptimizer outer = new OuterOptimizer(0.9, 0.7);
        ModelState stepped = average(layout, payload, outer, before, packed, packedMoments, positions);
        float[] momentum = outer.momentum(begin.parameters(), average.parameters(), begin.momentum());
        assertSame(new ModelState(outer.step(begin.parameters(), average.parameters(), momentum), average.updaterState(), momentum), stepped);
        assertArrayEquals(begin.cut(layout, 0), before);
    }

    @Test
    void aRoundThatTaughtNothingWeighsAllAlike() {
        StateLayout layout = new StateLayout(2, 0, 0, 1);
        List<ByteBuffer> nothing = List.of(bytes(), bytes());
        ModelState average = average(layout, Payload.FP32, NONE, new byte[8], List.of(bytes(1, 2), bytes(3, 4)), nothing, new long[2]);
        assertArrayEquals(new float[] {2, 3}, average.parameters());
    }

    /** Against a naive sum in double: as if that were rounded once, or the neighbour where it lies half-way between two floats. */
    @Test
    void theSumIsAsExactAsOneInDouble() {
        StateLayout layout = new StateLayout(SIZE, 0, 0, 1);
        long[] positions = new long[64];
        List<ByteBuffer> workers = new ArrayList<>();
        List<ByteBuffer> nothing = new ArrayList<>();
        double[] sum = new double[SIZE];
        double total = 64 * 65 / 2;
        for (int w = 0; w < 64; w++) {
            positions[w] = w + 1L;
            float[] values = random(w, SIZE);
            workers.add(bytes(values));
            nothing.add(bytes());
            for (int i = 0; i < SIZE; i++) {
                sum[i] += (w + 1) / total * values[i];
            }
        }
        float[] average = average(layout, Payload.FP32, NONE, new byte[4 * SIZE], workers, nothing, positions).parameters();
        for (int i = 0; i < SIZE; i++) {
            assertEquals(sum[i], average[i], 0.501 * Math.ulp((float) sum[i]) + 1e-12);
        }
    }

    private static ModelState average(StateLayout layout, Payload payload, OuterOptimizer outer, byte[] begin, List<ByteBuffer> parameters,
            List<ByteBuffer> moments, long[] positions) {
        ModelState state = ModelState.blank(layout);
        byte[] average = new SliceAverage(layout.slice(0), payload, outer).average(begin, copies(parameters), copies(moments), positions);
        state.paste(average, layout, 0);
        return state;
    }

    /** Their positions move. */
    private static List<ByteBuffer> copies(List<ByteBuffer> buffers) {
        return buffers.stream().map(b -> b.duplicate().order(b.order())).toList();
    }

    private static ByteBuffer bytes(float... values) {
        ByteBuffer bytes = StateLayout.littleEndian(new byte[values.length * Float.BYTES]);
        bytes.asFloatBuffer().put(values);
        return bytes;
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
