// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Number format of a file: blocks of {@code blockSize} elements in {@code blockBytes} bytes, little-endian.
 *
 * <p>Block layouts are ggml's ({@code ggml-common.h}): a half-precision scale {@code d} (and for Q4_1 a minimum {@code
 * m}), then the quants; in the 4-bit types, byte {@code j} of a block holds element {@code j} in its low nibble and
 * element {@code j + 16} in its high nibble. The K types are super-blocks of 256 elements; each run of 16 or 32 elements
 * has a small integer that multiplies the common scale.
 */
public enum ElementType {
    F32(0, 1, 4),
    F16(1, 1, 2),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q5_0(6, 32, 22),
    Q8_0(8, 32, 34),
    Q4_K(12, 256, 144),
    Q6_K(14, 256, 210),
    BF16(30, 1, 2);

    public final int ggmlCode;
    public final int blockSize;
    public final int blockBytes;

    ElementType(int ggmlCode, int blockSize, int blockBytes) {
        this.ggmlCode = ggmlCode;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Returns the name of the type with the most elements; empty if there are none. */
    public static String mostFrequent(Map<ElementType, Long> elements) {
        return elements.entrySet().stream().max(Map.Entry.comparingByValue()).map(type -> type.getKey().name()).orElse("");
    }

    /** Returns the bytes of {@code elements}, a whole number of blocks. */
    public long bytes(long elements) {
        return Math.multiplyExact(elements / blockSize, (long) blockBytes);
    }

    /** Decodes {@code elements}, a whole number of blocks, from the position of {@code source} on. */
    void decode(ByteBuffer source, float[] target, int elements) {
        for (int i = 0; i < elements; i += blockSize) {
            switch (this) {
                case F32 -> target[i] = source.getFloat();
                case F16 -> target[i] = Half.toFloat(source.getShort());
                case BF16 -> target[i] = Float.intBitsToFloat(source.getShort() << 16);
                case Q8_0 -> {
                    float d = Half.toFloat(source.getShort());
                    for (int j = 0; j < 32; j++) {
                        target[i + j] = d * source.get();
                    }
                }
                case Q4_0 -> {
                    float d = Half.toFloat(source.getShort());
                    for (int j = 0; j < 16; j++) {
                        int pair = source.get();
                        target[i + j] = d * ((pair & 15) - 8);
                        target[i + j + 16] = d * ((pair >> 4 & 15) - 8);
                    }
                }
                case Q5_0 -> {
                    float d = Half.toFloat(source.getShort());
                    int fifthBits = source.getInt();
                    for (int j = 0; j < 16; j++) {
                        int pair = source.get();
                        target[i + j] = d * ((pair & 15 | (fifthBits >> j & 1) << 4) - 16);
                        target[i + j + 16] = d * ((pair >> 4 & 15 | (fifthBits >> j + 16 & 1) << 4) - 16);
                    }
                }
                case Q4_K -> {
                    decodeQ4K(source, source.position(), target, i);
                    source.position(source.position() + blockBytes);
                }
                case Q6_K -> {
                    decodeQ6K(source, source.position(), target, i);
                    source.position(source.position() + blockBytes);
                }
                case Q4_1 -> {
                    float d = Half.toFloat(source.getShort());
                    float m = Half.toFloat(source.getShort());
                    for (int j = 0; j < 16; j++) {
                        int pair = source.get();
                        target[i + j] = d * (pair & 15) + m;
                        target[i + j + 16] = d * (pair >> 4 & 15) + m;
                    }
                }
            }
        }
    }

    /**
     * Encodes {@code elements} of {@code source}, a whole number of blocks, as F32, F16 or Q8_0, to the position of
     * {@code target}. F16 rounds to nearest. Q8_0 follows ggml's reference ({@code quantize_row_q8_0_ref}): the scale is
     * a block's largest magnitude over 127, and ties round away from zero.
     */
    public void encode(float[] source, ByteBuffer target, int elements) {
        for (int i = 0; i < elements; i += blockSize) {
            switch (this) {
                case F32 -> target.putFloat(source[i]);
                case F16 -> target.putShort(Half.of(source[i]));
                case Q8_0 -> {
                    float largest = 0;
                    for (int j = i; j < i + 32; j++) {
                        largest = Math.max(largest, Math.abs(source[j]));
                    }
                    float d = largest / 127;
                    float steps = d == 0 ? 0 : 1 / d;
                    target.putShort(Half.of(d));
                    for (int j = i; j < i + 32; j++) {
                        float scaled = source[j] * steps;
                        // In double precision the sum is exact.
                        target.put((byte) (scaled < 0 ? -(int) (0.5 - scaled) : (int) (scaled + 0.5)));
                    }
                }
                default -> throw new IllegalArgumentException("nothing is written in " + this);
            }
        }
    }

    /**
     * Decodes Q4_K: {@code d}, {@code dmin}, twelve bytes with eight scales and eight minima of six bits, 128 bytes of
     * nibbles. The low nibbles of 32 bytes are one sub-block, the high nibbles the next.
     */
    private static void decodeQ4K(ByteBuffer source, int at, float[] target, int first) {
        float d = Half.toFloat(source.getShort(at));
        float min = Half.toFloat(source.getShort(at + 2));
        int packed = at + 4;
        for (int sub = 0; sub < 8; sub++) {
            int scale;
            int minimum;
            if (sub < 4) {
                scale = source.get(packed + sub) & 63;
                minimum = source.get(packed + sub + 4) & 63;
            } else {
                // The low four bits are in bytes 8 to 11, the high two at the top of the first eight bytes.
                int low = source.get(packed + sub + 4);
                scale = low & 15 | (source.get(packed + sub - 4) >> 6 & 3) << 4;
                minimum = low >> 4 & 15 | (source.get(packed + sub) >> 6 & 3) << 4;
            }
            float step = d * scale;
            float offset = min * minimum;
            int quants = at + 16 + sub / 2 * 32;
            for (int j = 0; j < 32; j++) {
                target[first + sub * 32 + j] = step * (source.get(quants + j) >> sub % 2 * 4 & 15) - offset;
            }
        }
    }

    /**
     * Decodes Q6_K: 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, {@code d}. In each half
     * of the block, element {@code 32·quarter + j} has its nibble in byte {@code 32·(quarter % 2) + j}, low in the first
     * two quarters and high in the others, and its two high bits in byte {@code j}, from bit {@code 2·quarter} on.
     */
    private static void decodeQ6K(ByteBuffer source, int at, float[] target, int first) {
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
