// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.ByteBuffer;

/**
 * Decoders of ggml's super-blocks of 256 elements ({@code ggml-common.h}), in which each run of 16 or 32 elements has a small
 * integer that multiplies the common scale {@code d}.
 */
final class SuperBlocks {
    /** The uneven steps of IQ4_NL and IQ4_XS ({@code kvalues_iq4nl}). */
    static final byte[] UNEVEN = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

    private SuperBlocks() {
    }

    /**
     * Decodes Q2_K: sixteen bytes with a scale and a minimum of four bits, 64 bytes of quants, {@code d}, {@code dmin}. In each
     * half of the block, element {@code 32·quarter + j} is in byte {@code j}, from bit {@code 2·quarter} on.
     */
    static void decodeQ2K(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at + 80));
        float min = Half.toFloat(source.getShort(at + 82));
        for (int i = 0; i < 256; i++) {
            int scales = source.get(at + i / 16);
            target[first + i] = d * (scales & 15) * twoBits(source, at + 16, i) - min * (scales >> 4 & 15);
        }
    }

    /**
     * Decodes Q3_K: 32 bytes of third bits, 64 bytes of low bits as in Q2_K, sixteen scales of six bits, {@code d}. A third bit
     * that is not set subtracts 4. The scales' low bits are in bytes 0 to 7, their high bits in bytes 8 to 11.
     */
    static void decodeQ3K(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at + 108));
        for (int i = 0; i < 256; i++) {
            int run = i / 16;
            int low = source.get(at + 96 + run % 8) >> run / 8 * 4 & 15;
            int high = source.get(at + 104 + run % 4) >> run / 4 * 2 & 3;
            int third = source.get(at + i % 32) >> i / 32 & 1;
            target[first + i] = d * ((low | high << 4) - 32) * (twoBits(source, at + 32, i) - 4 * (1 - third));
        }
    }

    private static int twoBits(ByteBuffer source, int quants, int i) {
        return source.get(quants + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
    }

    /**
     * Decodes Q4_K: {@code d}, {@code dmin}, twelve bytes with eight scales and eight minima of six bits, 128 bytes of
     * nibbles. The low nibbles of 32 bytes are one sub-block, the high nibbles the next.
     */
    static void decodeQ4K(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at));
        float dmin = Half.toFloat(source.getShort(at + 2));
        for (int sub = 0; sub < 8; sub++) {
            float step = d * scale(source, at + 4, sub);
            float offset = dmin * minimum(source, at + 4, sub);
            int quants = at + 16 + sub / 2 * 32;
            for (int j = 0; j < 32; j++) {
                target[first + sub * 32 + j] = step * (source.get(quants + j) >> sub % 2 * 4 & 15) - offset;
            }
        }
    }

    /** Decodes Q5_K: as Q4_K, but with 32 bytes of fifth bits before the nibbles, of which bit i belongs to sub-block i. */
    static void decodeQ5K(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at));
        float dmin = Half.toFloat(source.getShort(at + 2));
        for (int sub = 0; sub < 8; sub++) {
            float step = d * scale(source, at + 4, sub);
            float offset = dmin * minimum(source, at + 4, sub);
            int quants = at + 48 + sub / 2 * 32;
            for (int j = 0; j < 32; j++) {
                int fifth = source.get(at + 16 + j) >> sub & 1;
                target[first + sub * 32 + j] = step * (source.get(quants + j) >> sub % 2 * 4 & 15 | fifth << 4) - offset;
            }
        }
    }

    /** Returns a sub-block's scale: in bytes 0 to 3, or with its low four bits in bytes 8 to 11 and the high two in bytes 0 to 3. */
    private static int scale(ByteBuffer source, int packed, int sub) {
        return sub < 4 ? source.get(packed + sub) & 63
                : source.get(packed + sub + 4) & 15 | (source.get(packed + sub - 4) >> 6 & 3) << 4;
    }

    /** Returns a sub-block's minimum, which is packed like its scale, from byte 4 and with high nibbles. */
    private static int minimum(ByteBuffer source, int packed, int sub) {
        return sub < 4 ? source.get(packed + sub + 4) & 63
                : source.get(packed + sub + 4) >> 4 & 15 | (source.get(packed + sub) >> 6 & 3) << 4;
    }

    /**
     * Decodes IQ4_XS: {@code d}, eight scales of six bits, the high two in a short and the low four in four bytes, and 128 bytes of
     * nibbles, which are indices into {@link #UNEVEN}. Of each 16 bytes, the low nibbles come first.
     */
    static void decodeIq4Xs(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at));
        for (int sub = 0; sub < 8; sub++) {
            int low = source.get(at + 4 + sub / 2) >> sub % 2 * 4 & 15;
            int high = source.getShort(at + 2) >> 2 * sub & 3;
            float step = d * ((low | high << 4) - 32);
            for (int j = 0; j < 32; j++) {
                target[first + sub * 32 + j] = step * UNEVEN[source.get(at + 8 + sub * 16 + j % 16) >> j / 16 * 4 & 15];
            }
        }
    }

    /**
     * Decodes Q6_K: 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, {@code d}. In each half
     * of the block, element {@code 32·quarter + j} has its nibble in byte {@code 32·(quarter % 2) + j}, low in the first
     * two quarters and high in the others, and its two high bits in byte {@code j}, from bit {@code 2·quarter} on.
     */
    static void decodeQ6K(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at + 208));
        for (int i = 0; i < 256; i++) {
            int half = i / 128;
            int quarter = i % 128 / 32;
            int j = i % 32;
            int low = source.get(at + half * 64 + quarter % 2 * 32 + j) >> quarter / 2 * 4 & 15;
            int high = source.get(at + 128 + half * 32 + j) >> 2 * quarter & 3;
            target[first + i] = d * source.get(at + 192 + i / 16) * ((low | high << 4) - 32);
        }
    }
}
