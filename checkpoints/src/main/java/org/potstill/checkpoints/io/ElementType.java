// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.nio.ByteBuffer;
import java.util.Map;

/**
 * Number format of a file: blocks of {@code blockSize} elements in {@code blockBytes} bytes, little-endian.
 *
 * <p>Block layouts are ggml's ({@code ggml-common.h}): a half-precision scale {@code d} (and for Q4_1 and Q5_1 a minimum
 * {@code m}), then the quants; in the 4-bit types, byte {@code j} of a block holds element {@code j} in its low nibble and
 * element {@code j + 16} in its high nibble. Blocks of 256 elements are {@link SuperBlocks}. MXFP4 has a power of two for a scale
 * (OCP Microscaling Formats, version 1.0).
 */
public enum ElementType {
    F32(0, 1, 4),
    F16(1, 1, 2),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q5_0(6, 32, 22),
    Q5_1(7, 32, 24),
    Q8_0(8, 32, 34),
    Q2_K(10, 256, 84),
    Q3_K(11, 256, 110),
    Q4_K(12, 256, 144),
    Q5_K(13, 256, 176),
    Q6_K(14, 256, 210),
    IQ4_NL(20, 32, 18),
    IQ4_XS(23, 256, 136),
    BF16(30, 1, 2),
    MXFP4(39, 32, 17);

    /** Values of a four-bit float with two bits of exponent and one of mantissa, times 2. */
    private static final byte[] E2M1_DOUBLED = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

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
                case Q5_1 -> {
                    float d = Half.toFloat(source.getShort());
                    float m = Half.toFloat(source.getShort());
                    int fifthBits = source.getInt();
                    for (int j = 0; j < 16; j++) {
                        int pair = source.get();
                        target[i + j] = d * (pair & 15 | (fifthBits >> j & 1) << 4) + m;
                        target[i + j + 16] = d * (pair >> 4 & 15 | (fifthBits >> j + 16 & 1) << 4) + m;
                    }
                }
                case IQ4_NL -> lookUp(source, Half.toFloat(source.getShort()), SuperBlocks.UNEVEN, target, i);
                case MXFP4 -> {
                    int exponent = source.get() & 255;
                    // Half of 2^(exponent - 127), as the table has doubled values.
                    int bits = exponent < 2 ? 0x200000 << exponent : exponent - 1 << 23;
                    lookUp(source, Float.intBitsToFloat(bits), E2M1_DOUBLED, target, i);
                }
                case Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, IQ4_XS -> {
                    int at = source.position();
                    switch (this) {
                        case Q2_K -> SuperBlocks.decodeQ2K(source, at, target, i);
                        case Q3_K -> SuperBlocks.decodeQ3K(source, at, target, i);
                        case Q4_K -> SuperBlocks.decodeQ4K(source, at, target, i);
                        case Q5_K -> SuperBlocks.decodeQ5K(source, at, target, i);
                        case Q6_K -> SuperBlocks.decodeQ6K(source, at, target, i);
                        default -> SuperBlocks.decodeIq4Xs(source, at, target, i);
                    }
                    source.position(at + blockBytes);
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

    /** Decodes 32 elements from nibbles that are indices into a table of values. */
    private static void lookUp(ByteBuffer source, float scale, byte[] values, float[] target, int first) {
        for (int j = 0; j < 16; j++) {
            int pair = source.get();
            target[first + j] = scale * values[pair & 15];
            target[first + j + 16] = scale * values[pair >> 4 & 15];
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
}
