// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;

/**
 * Floats as integers of 8 or 4 bits with one scale per block: the block's largest magnitude M divided by the largest integer, rounded
 * up to a bfloat16, so that no integer overflows. The error of a value is at most half a scale, that is M / 253 or M / 13. A block that
 * contains a non-finite value, or one within 1 % of the largest float, is unpacked as all NaN.
 */
enum ScaledIntegers implements FloatCoding {
    EIGHT_BITS(512, 127) {
        @Override
        int integerBytes(int length) {
            return length;
        }

        @Override
        void put(int[] integers, int length, ByteBuffer packed) {
            for (int i = 0; i < length; i++) {
                packed.put((byte) integers[i]);
            }
        }

        @Override
        void get(ByteBuffer packed, int[] integers, int length) {
            for (int i = 0; i < length; i++) {
                integers[i] = packed.get();
            }
        }
    },

    FOUR_BITS(128, 7) {
        @Override
        int integerBytes(int length) {
            return (length + 1) / 2;
        }

        @Override
        void put(int[] integers, int length, ByteBuffer packed) {
            for (int i = 0; i < length; i += 2) {
                int high = i + 1 < length ? integers[i + 1] : 0;
                packed.put((byte) (integers[i] & 0xf | high << 4));
            }
        }

        @Override
        void get(ByteBuffer packed, int[] integers, int length) {
            for (int i = 0; i < length; i += 2) {
                int both = packed.get();
                integers[i] = both << 28 >> 28;
                if (i + 1 < length) {
                    integers[i + 1] = both >> 4;
                }
            }
        }
    };

    private final int block;
    private final int largest;

    ScaledIntegers(int block, int largest) {
        this.block = block;
        this.largest = largest;
    }

    abstract int integerBytes(int length);

    abstract void put(int[] integers, int length, ByteBuffer packed);

    abstract void get(ByteBuffer packed, int[] integers, int length);

    @Override
    public int bytes(int floats) {
        return Math.addExact(Short.BYTES * ((floats + block - 1) / block), integerBytes(floats));
    }

    /** Packs values, block by block: a scale, then integers. */
    @Override
    public void pack(float[] values, ByteBuffer packed) {
        int[] integers = new int[block];
        for (int from = 0; from < values.length; from += block) {
            int length = Math.min(block, values.length - from);
            float scale = scale(FloatCoding.magnitude(values, from, length));
            packed.putShort((short) (Float.floatToRawIntBits(scale) >>> Short.SIZE));
            float inverse = scale == 0 ? 0 : 1 / scale;
            for (int i = 0; i < length; i++) {
                integers[i] = (int) Math.rint(values[from + i] * inverse);
            }
            put(integers, length, packed);
        }
    }

    /** Returns the scale of a block: 0 where all values are too small to have one, NaN where one is not finite. */
    private float scale(float magnitude) {
        if (!Float.isFinite(magnitude)) {
            return Float.NaN;
        }
        float exact = magnitude / largest;
        if (exact < Float.MIN_NORMAL) {
            // The inverse of a subnormal may be infinite.
            return 0;
        }
        float scale = Float.intBitsToFloat(Float.floatToRawIntBits(exact) + 0xffff & 0xffff0000);
        return scale * largest <= Float.MAX_VALUE ? scale : Float.NaN;
    }

    @Override
    public void unpack(ByteBuffer packed, float[] values) {
        int[] integers = new int[block];
        for (int from = 0; from < values.length; from += block) {
            int length = Math.min(block, values.length - from);
            float scale = Float.intBitsToFloat(packed.getShort() << Short.SIZE);
            get(packed, integers, length);
            for (int i = 0; i < length; i++) {
                values[from + i] = scale * integers[i];
            }
        }
    }
}
