// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.ShortBuffer;
import org.potstill.checkpoints.io.Half;

/**
 * Floats in half precision with one scale per {@value #BLOCK} values: a power of two that brings the block's largest magnitude M
 * into [2^14, 2^15), so that no half overflows and their range is well used. The error of a value x is at most
 * {@value #RELATIVE_ERROR}·|x| + {@value #BLOCK_ERROR}·M. A block that contains a non-finite value is unpacked as all NaN.
 */
enum ScaledHalves implements FloatCoding {
    INSTANCE;

    static final int BLOCK = 256;
    /** Half a unit in the last place of a half's 11-bit significand. */
    static final double RELATIVE_ERROR = 0x1p-11;
    /** Half the smallest subnormal half, 2^-25, relative to 2^14. */
    static final double BLOCK_ERROR = 0x1p-39;
    private static final int TOP_EXPONENT = 14;

    @Override
    public int bytes(int floats) {
        return Math.addExact(blocks(floats) * Float.BYTES, Math.multiplyExact(floats, Short.BYTES));
    }

    /** Packs values: first the scales, then the halves. */
    @Override
    public void pack(float[] values, ByteBuffer packed) {
        FloatBuffer scales = packed.asFloatBuffer();
        ShortBuffer halves = halves(packed, values.length);
        short[] block = new short[BLOCK];
        for (int from = 0; from < values.length; from += BLOCK) {
            int length = Math.min(BLOCK, values.length - from);
            float scale = scale(FloatCoding.magnitude(values, from, length));
            // The scale is a normal power of two, and so is its inverse.
            float inverse = 1 / scale;
            for (int i = 0; i < length; i++) {
                block[i] = Half.of(values[from + i] * inverse);
            }
            scales.put(scale);
            halves.put(block, 0, length);
        }
    }

    private ShortBuffer halves(ByteBuffer packed, int floats) {
        int begin = packed.position();
        ShortBuffer halves = packed.position(begin + blocks(floats) * Float.BYTES).asShortBuffer();
        packed.position(begin + bytes(floats));
        return halves;
    }

    private static float scale(float magnitude) {
        return magnitude <= Float.MAX_VALUE ? Math.scalb(1f, Math.max(Float.MIN_EXPONENT, Math.getExponent(magnitude) - TOP_EXPONENT)) : Float.NaN;
    }

    @Override
    public void unpack(ByteBuffer packed, float[] values) {
        int length = values.length;
        FloatBuffer scales = packed.asFloatBuffer();
        ShortBuffer halves = halves(packed, length);
        short[] block = new short[BLOCK];
        for (int from = 0; from < length; from += BLOCK) {
            float scale = scales.get();
            int size = Math.min(BLOCK, length - from);
            halves.get(block, 0, size);
            for (int i = 0; i < size; i++) {
                values[from + i] = scale * Half.toFloat(block[i]);
            }
        }
    }

    private static int blocks(int length) {
        return (length + BLOCK - 1) / BLOCK;
    }
}
