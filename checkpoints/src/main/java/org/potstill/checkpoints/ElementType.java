package org.potstill.checkpoints;

import java.nio.ByteBuffer;

/**
 * How numbers lie in a file: blocks of {@code blockSize} elements in {@code blockBytes} bytes, little-endian.
 *
 * <p>The block layouts are ggml's ({@code ggml-common.h}): a half-precision scale {@code d} (and for Q4_1 a minimum
 * {@code m}), then the quants; in the 4-bit types byte {@code j} of a block holds element {@code j} in its low nibble
 * and element {@code j + 16} in its high one.
 */
enum ElementType {
    F32(0, 1, 4),
    F16(1, 1, 2),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q8_0(8, 32, 34),
    BF16(30, 1, 2);

    final int ggmlCode;
    final int blockSize;
    final int blockBytes;

    ElementType(int ggmlCode, int blockSize, int blockBytes) {
        this.ggmlCode = ggmlCode;
        this.blockSize = blockSize;
        this.blockBytes = blockBytes;
    }

    /** Bytes that {@code elements} take, a whole number of blocks. */
    long bytes(long elements) {
        return Math.multiplyExact(elements / blockSize, (long) blockBytes);
    }

    /** Decodes {@code elements}, a whole number of blocks, from the position of {@code source} on. */
    void decode(ByteBuffer source, float[] target, int elements) {
        for (int i = 0; i < elements; i += blockSize) {
            switch (this) {
                case F32 -> target[i] = source.getFloat();
                case F16 -> target[i] = halfToFloat(source.getShort());
                case BF16 -> target[i] = Float.intBitsToFloat(source.getShort() << 16);
                case Q8_0 -> {
                    float d = halfToFloat(source.getShort());
                    for (int j = 0; j < 32; j++) {
                        target[i + j] = d * source.get();
                    }
                }
                case Q4_0 -> {
                    float d = halfToFloat(source.getShort());
                    for (int j = 0; j < 16; j++) {
                        int pair = source.get();
                        target[i + j] = d * ((pair & 15) - 8);
                        target[i + j + 16] = d * ((pair >> 4 & 15) - 8);
                    }
                }
                case Q4_1 -> {
                    float d = halfToFloat(source.getShort());
                    float m = halfToFloat(source.getShort());
                    for (int j = 0; j < 16; j++) {
                        int pair = source.get();
                        target[i + j] = d * (pair & 15) + m;
                        target[i + j + 16] = d * (pair >> 4 & 15) + m;
                    }
                }
            }
        }
    }

    /** IEEE 754 binary16; Java has this from version 20 on only. */
    static float halfToFloat(short half) {
        int sign = (half & 0x8000) << 16;
        int exponent = half >> 10 & 31;
        int mantissa = half & 1023;
        if (exponent == 31) {
            return Float.intBitsToFloat(sign | 0x7f800000 | mantissa << 13);
        }
        if (exponent == 0) {
            float magnitude = mantissa * 0x1p-24f;
            return sign == 0 ? magnitude : -magnitude;
        }
        return Float.intBitsToFloat(sign | exponent + 112 << 23 | mantissa << 13);
    }
}
