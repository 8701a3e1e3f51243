// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class SliceDifferenceTest {
    /** Some chunks and a piece. */
    private static final int SIZE = 2 * Payload.CHUNK + 1001;
    private static final OuterOptimizer NONE = new OuterOptimizer(0, 1);
    private static final long[] POSITIONS = {3, 1000, 17};

    private static float[] random(int seed, double deviation) {
        Random random = new Random(seed);
        float[] values = new float[SIZE];
        for (int i = 0; i < SIZE; i++) {
            values[i] = (float) (deviation * random.nextGaussian());
        }
        return values;
    }

    private static ByteBuffer bytes(float[] values) {
        ByteBuffer bytes = StateLayout.littleEndian(new byte[Float.BYTES * values.length]);
        bytes.asFloatBuffer().put(values);
        return bytes;
    }

    private static float[] floats(byte[] bytes) {
        float[] values = new float[bytes.length / Float.BYTES];
        StateLayout.littleEndian(bytes).asFloatBuffer().get(values);
        return values;
    }

    /** What was unpacked over all rounds, with what is owed, is what was to be sent. */
    @ParameterizedTest
    @EnumSource
    void nothingIsLostOverRounds(Payload payload) {
        ErrorFeedback feedback = new ErrorFeedback(payload, SIZE);
        double[] told = new double[SIZE];
        double[] arrived = new double[SIZE];
        float[] begin = random(0, 1);
        for (int round = 0; round < 20; round++) {
            float[] end = random(100 + round, 1);
            for (int i = 0; i < SIZE; i++) {
                end[i] = begin[i] + 1e-3f * end[i];
                told[i] += end[i] - begin[i];
            }
            ByteBuffer packed = feedback.pack(bytes(begin), bytes(end));
            assertEquals(payload.bytes(SIZE), packed.remaining());
            for (int at = 0; at < SIZE; at += Payload.CHUNK) {
                float[] values = new float[Math.min(Payload.CHUNK, SIZE - at)];
                payload.unpack(packed, values);
                for (int i = 0; i < values.length; i++) {
                    arrived[at + i] += values[i];
                }
            }
        }
        for (int i = 0; i < SIZE; i++) {
            assertEquals(told[i], arrived[i] + feedback.owed()[i], 1e-7);
            assertEquals(0, feedback.owed()[i], payload == Payload.INT4 ? 1e-3 : payload == Payload.INT8 ? 3e-5 : 1e-5);
        }
    }

    /** In single precision, the step by differences is that to the average. */
    @ParameterizedTest
    @EnumSource
    void theStepByTheMeanIsThatToTheAverage(Payload payload) {
        for (OuterOptimizer outer : List.of(NONE, new OuterOptimizer(0.9, 0.7))) {
            int momentum = outer.momentumLength(SIZE);
            StateLayout layout = new StateLayout(SIZE, 0, momentum, 1);
            float[] begin = random(1, 1);
            ModelState state = new ModelState(begin, new float[0], momentum == 0 ? new float[0] : random(2, 1e-3));
            List<ByteBuffer> ends = new ArrayList<>();
            List<ByteBuffer> differences = new ArrayList<>();
            for (int worker = 0; worker < POSITIONS.length; worker++) {
                float[] end = random(10 + worker, 1e-3);
                for (int i = 0; i < SIZE; i++) {
                    end[i] += begin[i];
                }
                ends.add(bytes(end));
                differences.add(new ErrorFeedback(payload, SIZE).pack(bytes(begin), bytes(end)));
            }
            byte[] before = state.cut(layout, 0);
            float[] expected = floats(new SliceAverage(layout.slice(0), Payload.FP32, outer).average(before, ends,
                    List.of(bytes(new float[0]), bytes(new float[0]), bytes(new float[0])), POSITIONS));
            SliceDifference difference = new SliceDifference(layout.slice(0), payload, outer);
            byte[] mean = difference.mean(differences, POSITIONS, new ErrorFeedback(payload, SIZE));
            byte[] after = difference.step(before, layout.slice(0), mean);
            double tolerance = payload == Payload.INT4 ? 1e-3 : payload == Payload.INT8 ? 5e-5 : payload == Payload.FP16 ? 1e-5 : 2e-6;
            assertArrayEquals(expected, floats(after), (float) tolerance);
            // From a whole state the same, without its moments.
            StateLayout whole = new StateLayout(SIZE, 2 * SIZE, momentum, 1);
            byte[] fromWhole = new ModelState(begin, new float[2 * SIZE], momentum == 0 ? new float[0] : random(2, 1e-3)).cut(whole, 0);
            assertArrayEquals(after, difference.step(fromWhole, whole.slice(0), mean));
        }
    }
}
