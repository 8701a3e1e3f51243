package org.potstill.spark.train;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
        byte[] packParameters(float[] end, float[] begin) {
            return packMoments(end);
        }

        @Override
        void unpackParameters(byte[] packed, float[] begin, float[] end) {
            unpackMoments(packed, end);
        }

        @Override
        byte[] packMoments(float[] moments) {
            byte[] packed = new byte[Math.multiplyExact(moments.length, Float.BYTES)];
            floats(packed).put(moments);
            return packed;
        }

        @Override
        void unpackMoments(byte[] packed, float[] moments) {
            floats(packed).get(moments);
        }

        private static FloatBuffer floats(byte[] packed) {
            return ByteBuffer.wrap(packed).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        }
    },

    FP16 {
        @Override
        byte[] packParameters(float[] end, float[] begin) {
            float[] difference = new float[end.length];
            for (int i = 0; i < difference.length; i++) {
                difference[i] = end[i] - begin[i];
            }
            return ScaledHalves.pack(difference);
        }

        @Override
        void unpackParameters(byte[] packed, float[] begin, float[] end) {
            ScaledHalves.unpack(packed, end);
            for (int i = 0; i < end.length; i++) {
                end[i] += begin[i];
            }
        }

        @Override
        byte[] packMoments(float[] moments) {
            float[] roots = new float[moments.length];
            for (int i = 0; i < roots.length; i++) {
                roots[i] = Math.copySign((float) Math.sqrt(Math.abs(moments[i])), moments[i]);
            }
            return ScaledHalves.pack(roots);
        }

        @Override
        void unpackMoments(byte[] packed, float[] moments) {
            ScaledHalves.unpack(packed, moments);
            for (int i = 0; i < moments.length; i++) {
                moments[i] *= Math.abs(moments[i]);
            }
        }
    };

    /** Packs the parameters that a worker ended a round with. */
    abstract byte[] packParameters(float[] end, float[] begin);

    /** @param end filled with what was packed */
    abstract void unpackParameters(byte[] packed, float[] begin, float[] end);

    abstract byte[] packMoments(float[] moments);

    /** @param moments filled with what was packed */
    abstract void unpackMoments(byte[] packed, float[] moments);
}
