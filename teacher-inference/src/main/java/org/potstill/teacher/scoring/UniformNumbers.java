// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.potstill.checkpoints.io.Sha256;

/**
 * Random numbers that are a function of token ids, a context and a position only, so that the same text gets the same
 * numbers in any batch: SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator, keyed by the first 8 bytes of
 * SHA-256 over context and ids.
 */
public final class UniformNumbers {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private final long state;

    /** @param context in ASCII, such as a seed */
    public UniformNumbers(String context, int[] tokens) {
        byte[] prefix = (context + "\n").getBytes(StandardCharsets.US_ASCII);
        ByteBuffer bytes = ByteBuffer.allocate(prefix.length + 4 * tokens.length).put(prefix);
        bytes.asIntBuffer().put(tokens);
        this.state = ByteBuffer.wrap(Sha256.digest().digest(bytes.array())).getLong();
    }

    /** Returns a multiple of 2⁻⁴⁰ in [0, 1): with 10 bits more for the number of a draw, no point rounds to 1. */
    public double at(int position) {
        long z = state + GOLDEN * (1L + position);
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return ((z ^ z >>> 31) >>> 24) * 0x1p-40;
    }
}
