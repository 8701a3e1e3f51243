package org.potstill.teacher;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.potstill.checkpoints.LlamaGraph;
import org.potstill.checkpoints.Sha256;

/**
 * Random numbers for the draws of a sequence: a function only of its token ids, the seed, the position, the step and the
 * draw, so that scoring it again, in any batch, gives the same draws.
 *
 * <p>SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator, keyed by the first 8 bytes of SHA-256 over
 * seed and ids.
 */
final class Uniforms {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private final long state;
    private final int draws;

    /**
     * Makes the generator of a sequence.
     *
     * @param draws per position
     */
    Uniforms(int[] tokens, long seed, int draws) {
        byte[] context = (seed + "\n").getBytes(StandardCharsets.US_ASCII);
        ByteBuffer bytes = ByteBuffer.allocate(context.length + 4 * tokens.length).put(context);
        bytes.asIntBuffer().put(tokens);
        this.state = ByteBuffer.wrap(Sha256.digest().digest(bytes.array())).getLong();
        this.draws = draws;
    }

    /** Returns a multiple of 2⁻²³ in [0, 1); its product with any single-precision sum stays below that sum. */
    float at(int position, int step, int draw) {
        long z = state + GOLDEN * (1 + draw + (long) draws * (step + (long) LlamaGraph.DRAW_STEPS * position));
        z = (z ^ z >>> 30) * 0xbf58476d1ce4e5b9L;
        z = (z ^ z >>> 27) * 0x94d049bb133111ebL;
        return ((z ^ z >>> 31) >>> 41) * 0x1p-23f;
    }
}
