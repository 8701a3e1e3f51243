package org.potstill.spark.train;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * How what a worker has learnt travels to be averaged, chunk by chunk. The average itself travels in single precision.
 *
 * <p>In half precision parameters travel as their differences to the round's beginning, and moments as their square roots
 * with their signs: Adam's second moments lie in squares, too far apart for a half; their roots do not. See
 * {@link ScaledHalves} for the error, of which a root's share doubles when it is squared.
 */
enum Payload {
    FP32 {
        @Override
        int bytes(int floats) {
            return Math.multiplyExact(floats, Float.BYTES);
        }

        @Override
        void packParameters(FloatBuffer end, FloatBuffer begin, ByteBuffer packed) {
            packMoments(end, packed);
        }

        @Override
        void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
            unpackMoments(packed, end);
        }

        @Override
        void packMoments(FloatBuffer moments, ByteBuffer packed) {
            int bytes = bytes(moments.remaining());
            packed.asFloatBuffer().put(moments);
            packed.position(packed.position() + bytes);
        }

        @Override
        void unpackMoments(ByteBuffer packed, float[] moments) {
            packed.asFloatBuffer().get(moments);
            packed.position(packed.position() + bytes(moments.length));
        }
    },

    FP16 {
        @Override
        int bytes(int floats) {
            return ScaledHalves.bytes(floats);
        }

        @Override
        void packParameters(FloatBuffer end, FloatBuffer begin, ByteBuffer packed) {
            float[] difference = new float[end.remaining()];
            float[] from = new float[difference.length];
            end.get(difference);
            begin.get(from);
            for (int i = 0; i < difference.length; i++) {
                difference[i] -= from[i];
            }
            ScaledHalves.pack(difference, packed);
        }

        @Override
        void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
            ScaledHalves.unpack(packed, end);
            for (int i = 0; i < end.length; i++) {
                end[i] += begin[i];
            }
        }

        @Override
        void packMoments(FloatBuffer moments, ByteBuffer packed) {
            float[] roots = new float[moments.remaining()];
            moments.get(roots);
            for (int i = 0; i < roots.length; i++) {
                roots[i] = Math.copySign((float) Math.sqrt(Math.abs(roots[i])), roots[i]);
            }
            ScaledHalves.pack(roots, packed);
        }

        @Override
        void unpackMoments(ByteBuffer packed, float[] moments) {
            ScaledHalves.unpack(packed, moments);
            for (int i = 0; i < moments.length; i++) {
                moments[i] *= Math.abs(moments[i]);
            }
        }
    };

    /** How many a chunk of {@code floats} takes. */
    abstract int bytes(int floats);

    /**
     * Packs the parameters that a worker ended a round with.
     *
     * @param end    all that remains in it
     * @param begin  at those that it began with
     * @param packed little-endian; its position moves on, as in all of these
     */
    abstract void packParameters(FloatBuffer end, FloatBuffer begin, ByteBuffer packed);

    /** @param end filled with what was packed */
    abstract void unpackParameters(ByteBuffer packed, float[] begin, float[] end);

    abstract void packMoments(FloatBuffer moments, ByteBuffer packed);

    /** @param moments filled with what was packed */
    abstract void unpackMoments(ByteBuffer packed, float[] moments);
}
