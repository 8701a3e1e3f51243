package org.potstill.spark.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Floats as little-endian bytes: Java serializes a byte array as it lies, and the elements of any other one by one. */
final class FloatBytes {
    private FloatBytes() {
    }

    /** Packs the values [from, to). */
    static byte[] pack(float[] values, int from, int to) {
        byte[] packed = new byte[Math.multiplyExact(to - from, Float.BYTES)];
        floats(packed).put(values, from, to - from);
        return packed;
    }

    /** Puts what {@link #pack} packed into {@code target}, from {@code at} on. */
    static void unpack(byte[] packed, float[] target, int at) {
        floats(packed).get(target, at, packed.length / Float.BYTES);
    }

    private static FloatBuffer floats(byte[] packed) {
        return ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    }
}
