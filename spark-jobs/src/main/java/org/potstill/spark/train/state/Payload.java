// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * Encoding of a worker's results for averaging. The average itself is always sent in single precision.
 *
 * <p>In half precision, parameters are sent as differences from the round's initial state, and moments as signed square roots: Adam's
 * second moments are squares, whose range is too wide for half precision. See {@link ScaledHalves} for the error; squaring a root
 * doubles its relative error.
 */
public enum Payload {
    /** Single precision, sent directly from the student's memory where possible. */
    FP32 {
        @Override
        public int bytes(int floats) {
            return Math.multiplyExact(floats, Float.BYTES);
        }

        @Override
        public ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin) {
            return end;
        }

        @Override
        void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
            unpackMoments(packed, end);
        }

        @Override
        public ByteBuffer packMoments(ByteBuffer moments) {
            return moments;
        }

        @Override
        void unpackMoments(ByteBuffer packed, float[] moments) {
            packed.asFloatBuffer().get(moments);
            packed.position(packed.position() + bytes(moments.length));
        }
    },

    FP16 {
        @Override
        public int bytes(int floats) {
            return ScaledHalves.bytes(floats);
        }

        @Override
        public ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin) {
            float[] from = new float[CHUNK];
            return pack(end, difference -> {
                begin.get(from, 0, difference.length);
                for (int i = 0; i < difference.length; i++) {
                    difference[i] -= from[i];
                }
            });
        }

        @Override
        void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
            ScaledHalves.unpack(packed, end);
            for (int i = 0; i < end.length; i++) {
                end[i] += begin[i];
            }
        }

        @Override
        public ByteBuffer packMoments(ByteBuffer moments) {
            return pack(moments, roots -> {
                for (int i = 0; i < roots.length; i++) {
                    roots[i] = Math.copySign((float) Math.sqrt(Math.abs(roots[i])), roots[i]);
                }
            });
        }

        @Override
        void unpackMoments(ByteBuffer packed, float[] moments) {
            ScaledHalves.unpack(packed, moments);
            for (int i = 0; i < moments.length; i++) {
                moments[i] *= Math.abs(moments[i]);
            }
        }
    };

    /** Number of values unpacked at once: few enough to stay in the processor's cache. */
    static final int CHUNK = 1 << 14;

    /** In-place transformation of values before rounding. */
    private interface Change {
        void apply(float[] values);
    }

    /** Returns the number of bytes that {@code floats} values take. */
    public abstract int bytes(int floats);

    /**
     * Packs the parameters at the end of a worker's round.
     *
     * @param end   final parameters as floats; may itself be returned
     * @param begin the round's initial parameters
     */
    public abstract ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin);

    /**
     * Unpacks the next parameters: {@value #CHUNK}, or as many as are left.
     *
     * @param packed buffer whose position advances
     * @param begin  the round's initial parameters
     * @param end    receives the parameters
     */
    abstract void unpackParameters(ByteBuffer packed, float[] begin, float[] end);

    /**
     * Packs moments.
     *
     * @param moments as floats; may itself be returned
     */
    public abstract ByteBuffer packMoments(ByteBuffer moments);

    /** Unpacks the next moments, like {@link #unpackParameters}. */
    abstract void unpackMoments(ByteBuffer packed, float[] moments);

    private static ByteBuffer pack(ByteBuffer floats, Change change) {
        FloatBuffer values = floats.asFloatBuffer();
        ByteBuffer packed = StateLayout.littleEndian(new byte[ScaledHalves.bytes(values.remaining())]);
        float[] whole = new float[CHUNK];
        while (values.hasRemaining()) {
            float[] chunk = values.remaining() >= CHUNK ? whole : new float[values.remaining()];
            values.get(chunk);
            change.apply(chunk);
            ScaledHalves.pack(chunk, packed);
        }
        return packed.flip();
    }
}
