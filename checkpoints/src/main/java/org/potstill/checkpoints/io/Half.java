// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

/** IEEE 754 binary16; Java has this from version 20 on only. */
public final class Half {
    private static final int INFINITY = 0x7c00;

    private Half() {
    }

    public static float toFloat(short half) {
        // As a float of the same bits would be 2^112 times smaller; the product is exact, below the normal halves, too.
        int sign = (half & 0x8000) << 16;
        int magnitude = half & 0x7fff;
        int bits = magnitude < INFINITY ? Float.floatToRawIntBits(Float.intBitsToFloat(magnitude << 13) * 0x1p112f)
                : 0x7f800000 | magnitude << 13;
        return Float.intBitsToFloat(sign | bits);
    }

    /** Rounds to the nearest half, ties to even; infinite from 65520 on. */
    public static short of(float value) {
        int bits = Float.floatToRawIntBits(value);
        int sign = bits >>> 16 & 0x8000;
        float magnitude = Math.abs(value);
        if (!(magnitude < 65520)) {
            return (short) (sign | (Float.isNaN(value) ? 0x7e00 : INFINITY));
        }
        if (magnitude < 0x1p-14f) {
            return (short) (sign | (int) Math.rint(magnitude * 0x1p24f));
        }
        // Adding just under half of the last place that is kept, and that place's bit, rounds half to even.
        int rounded = (bits & 0x7fffffff) + 0xfff + (bits >>> 13 & 1);
        return (short) (sign | (rounded >>> 13) - (112 << 10));
    }
}
