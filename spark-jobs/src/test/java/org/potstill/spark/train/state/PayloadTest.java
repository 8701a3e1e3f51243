// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class PayloadTest {
    /** Of a square of a root that is off by one of them. */
    private static final double SQUARED = 2 * ScaledHalves.RELATIVE_ERROR + ScaledHalves.RELATIVE_ERROR * ScaledHalves.RELATIVE_ERROR;
    /** A rounding to single precision or two. */
    private static final double SINGLE = 3 * 0x1p-24;

    @Test
    void halvesAreWithinTheStatedErrorOverAllMagnitudes() {
        Random random = new Random(1);
        for (int spread : new int[] {0, 10, 40, 120}) {
            for (int center : new int[] {-100, -30, 0, 60}) {
                float[] values = spread(random, 1000, center, spread);
                float[] back = new float[values.length];
                halves(values, back);
                for (int i = 0; i < values.length; i++) {
                    double bound = ScaledHalves.RELATIVE_ERROR * Math.abs(values[i]) + ScaledHalves.BLOCK_ERROR * largest(values, i);
                    assertEquals(values[i], back[i], bound, "block of 2^" + center + " ± " + spread);
                }
            }
        }
    }

    @Test
    void theSmallestAndTheLargestFloatsKeepTheirMagnitudeAndZerosTheirPlace() {
        float[] values = new float[3 * ScaledHalves.BLOCK];
        values[0] = 3e38f;
        values[ScaledHalves.BLOCK] = -Float.MIN_NORMAL;
        float[] back = new float[values.length];
        halves(values, back);
        assertEquals(1, back[0] / 3e38f, 1e-3);
        assertEquals(1, back[ScaledHalves.BLOCK] / -Float.MIN_NORMAL, 1e-3);
        assertEquals(0, back[2 * ScaledHalves.BLOCK]);
    }

    @Test
    void whatIsNotFiniteIsNoticedAndSpoilsNoOtherBlock() {
        for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY}) {
            float[] values = new float[2 * ScaledHalves.BLOCK];
            java.util.Arrays.fill(values, 1);
            values[7] = bad;
            float[] back = new float[values.length];
            halves(values, back);
            assertTrue(Float.isNaN(back[7]) && Float.isNaN(back[8]));
            assertEquals(1, back[ScaledHalves.BLOCK]);
        }
    }

    /** What Adam has for moments: first ones of both signs, second ones of the gradients' squares, from never seen to often. */
    @Test
    void momentsAndParametersInHalfPrecisionAreWithinTheStatedErrorOfThoseInSingle() {
        Random random = new Random(2);
        float[] begin = spread(random, 5000, -3, 4);
        float[] end = new float[5000];
        float[] moments = new float[10_000];
        for (int i = 0; i < 5000; i++) {
            end[i] = (float) (begin[i] + 1e-3 * random.nextGaussian());
            double gradient = 1e-3 * random.nextGaussian() * Math.pow(2, -random.nextInt(20));
            moments[i] = (float) gradient;
            moments[5000 + i] = random.nextInt(10) == 0 ? 0 : (float) (gradient * gradient);
        }
        float[] parameters = parameters(Payload.FP16, end, begin);
        assertArrayEquals(end, parameters(Payload.FP32, end, begin));
        for (int i = 0; i < 5000; i++) {
            double step = Math.abs((double) end[i] - begin[i]);
            assertEquals(end[i], parameters[i], ScaledHalves.RELATIVE_ERROR * step + 1e-14 + SINGLE * Math.abs(end[i]));
        }
        float[] back = moments(Payload.FP16, moments);
        assertArrayEquals(moments, moments(Payload.FP32, moments));
        for (int i = 0; i < moments.length; i++) {
            assertEquals(moments[i], back[i], (SQUARED + SINGLE) * Math.abs(moments[i]) + 1e-20);
            assertTrue(i < 5000 || back[i] >= 0, "a second moment below zero");
        }
    }

    @Test
    void halvesTakeHalfTheRoom() {
        assertEquals(0.5, Payload.FP16.bytes(1 << 16) / (double) Payload.FP32.bytes(1 << 16), 0.01);
    }

    private static void halves(float[] values, float[] back) {
        ByteBuffer packed = memory(ScaledHalves.INSTANCE.bytes(values.length));
        ScaledHalves.INSTANCE.pack(values, packed);
        assertEquals(0, packed.remaining());
        ScaledHalves.INSTANCE.unpack(packed.rewind(), back);
        assertEquals(0, packed.remaining());
    }

    private static ByteBuffer memory(int bytes) {
        return StateLayout.littleEndian(new byte[bytes]);
    }

    private static float[] parameters(Payload payload, float[] end, float[] begin) {
        ByteBuffer packed = payload.packParameters(bytes(end), FloatBuffer.wrap(begin));
        assertEquals(payload.bytes(end.length), packed.remaining());
        float[] back = new float[end.length];
        payload.unpackParameters(packed, begin, back);
        return back;
    }

    private static float[] moments(Payload payload, float[] moments) {
        ByteBuffer packed = payload.packMoments(bytes(moments));
        assertEquals(payload.bytes(moments.length), packed.remaining());
        float[] back = new float[moments.length];
        payload.unpackMoments(packed, back);
        return back;
    }

    private static ByteBuffer bytes(float[] values) {
        ByteBuffer bytes = memory(values.length * Float.BYTES);
        bytes.asFloatBuffer().put(values);
        return bytes;
    }

    private static double largest(float[] values, int at) {
        double largest = 0;
        int from = at / ScaledHalves.BLOCK * ScaledHalves.BLOCK;
        for (int i = from; i < Math.min(values.length, from + ScaledHalves.BLOCK); i++) {
            largest = Math.max(largest, Math.abs(values[i]));
        }
        return largest;
    }

    /** Of both signs, their exponents spread evenly around a center. */
    private static float[] spread(Random random, int length, int center, int spread) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            int exponent = Math.max(-126, Math.min(126, center + random.nextInt(2 * spread + 1) - spread));
            values[i] = (float) ((1 + random.nextDouble()) * Math.pow(2, exponent) * (random.nextBoolean() ? 1 : -1));
        }
        return values;
    }

    @ParameterizedTest
    @EnumSource
    void integersAreWithinHalfAScaleOverAllMagnitudes(ScaledIntegers integers) {
        int block = integers == ScaledIntegers.EIGHT_BITS ? 512 : 128;
        double half = integers == ScaledIntegers.EIGHT_BITS ? 1 / 253.0 : 1 / 13.0;
        Random random = new Random(1);
        for (int length : new int[] {1, 2, block - 1, block, block + 1, 5 * block + 77}) {
            for (int center : new int[] {-80, -30, 0, 60}) {
                float[] values = spread(random, length, center, 10);
                float[] back = integers(integers, values);
                for (int i = 0; i < length; i++) {
                    double largest = 0;
                    for (int j = i / block * block; j < Math.min(length, (i / block + 1) * block); j++) {
                        largest = Math.max(largest, Math.abs(values[j]));
                    }
                    assertEquals(values[i], back[i], half * largest * (1 + 1e-2), length + " values of 2^" + center);
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void integersOfExtremesAreZeroOrNotNumbersAndSpoilNoOtherBlock(ScaledIntegers integers) {
        int block = integers == ScaledIntegers.EIGHT_BITS ? 512 : 128;
        float[] values = new float[4 * block];
        values[3] = Float.NaN;
        values[block] = Float.MIN_VALUE;
        values[2 * block] = 3e38f;
        values[3 * block + 1] = -1;
        float[] back = integers(integers, values);
        assertTrue(Float.isNaN(back[3]) && Float.isNaN(back[4]));
        assertEquals(0, back[block]);
        assertEquals(1, back[2 * block] / 3e38f, 1e-2);
        assertEquals(-1, back[3 * block + 1], 1e-2);
        assertEquals(0, back[3 * block]);
    }

    private static float[] integers(ScaledIntegers integers, float[] values) {
        ByteBuffer packed = StateLayout.littleEndian(new byte[integers.bytes(values.length)]);
        integers.pack(values, packed);
        assertEquals(0, packed.remaining());
        float[] back = new float[values.length];
        integers.unpack(packed.flip(), back);
        return back;
    }

    /** At most a byte per parameter and its share of a scale; half of it in four bits. */
    @Test
    void integersAreSmall() {
        assertEquals(1 + 2 / 512.0, Payload.INT8.bytes(1 << 20) / (double) (1 << 20), 1e-9);
        assertEquals(0.5 + 2 / 128.0, Payload.INT4.bytes(1 << 20) / (double) (1 << 20), 1e-9);
    }
}
