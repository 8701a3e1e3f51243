package org.potstill.spark.train;

import java.util.Arrays;

/**
 * How what a worker has learnt travels to be averaged. The average itself travels in single precision.
 *
 * <p>In half precision parameters travel as their differences to the round's beginning, and moments as their square roots
 * with their signs: Adam's second moments lie in squares, too far apart for a half; their roots do not. See
 * {@link ScaledHalves} for the error, of which a root's share doubles when it is squared.
 */
enum Payload {
    FP32 {
        @Override
        byte[] packParameters(float[] end, float[] begin, int from, int to) {
            return FloatBytes.pack(end, from, to);
        }

        @Override
        float[] unpackParameters(byte[] packed, float[] begin, int from, int to) {
            return unpackMoments(packed, to - from);
        }

        @Override
        byte[] packMoments(float[] moments, int from, int to) {
            return FloatBytes.pack(moments, from, to);
        }

        @Override
        float[] unpackMoments(byte[] packed, int length) {
            float[] values = new float[length];
            FloatBytes.unpack(packed, values, 0);
            return values;
        }
    },

    FP16 {
        @Override
        byte[] packParameters(float[] end, float[] begin, int from, int to) {
            float[] difference = new float[to - from];
            for (int i = 0; i < difference.length; i++) {
                difference[i] = end[from + i] - begin[from + i];
            }
            return ScaledHalves.pack(difference);
        }

        @Override
        float[] unpackParameters(byte[] packed, float[] begin, int from, int to) {
            float[] values = ScaledHalves.unpack(packed, to - from);
            for (int i = 0; i < values.length; i++) {
                values[i] += begin[from + i];
            }
            return values;
        }

        @Override
        byte[] packMoments(float[] moments, int from, int to) {
            float[] roots = Arrays.copyOfRange(moments, from, to);
            for (int i = 0; i < roots.length; i++) {
                roots[i] = Math.copySign((float) Math.sqrt(Math.abs(roots[i])), roots[i]);
            }
            return ScaledHalves.pack(roots);
        }

        @Override
        float[] unpackMoments(byte[] packed, int length) {
            float[] values = ScaledHalves.unpack(packed, length);
            for (int i = 0; i < length; i++) {
                values[i] *= Math.abs(values[i]);
            }
            return values;
        }
    };

    /** Packs the parameters [from, to) that a worker ended a round with. */
    abstract byte[] packParameters(float[] end, float[] begin, int from, int to);

    abstract float[] unpackParameters(byte[] packed, float[] begin, int from, int to);

    /** Packs the moments [from, to). */
    abstract byte[] packMoments(float[] moments, int from, int to);

    abstract float[] unpackMoments(byte[] packed, int length);
}
