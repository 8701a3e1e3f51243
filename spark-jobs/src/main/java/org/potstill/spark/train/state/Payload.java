// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * Encoding of what workers send for averaging.
 *
 * <p>With {@link Averaging#EVERYTHING}, a worker sends its parameters and moments; the average is sent in single precision. In half
 * precision, parameters are sent as differences from the round's initial state, and moments as signed square roots: Adam's second
 * moments are squares, whose range is too wide for half precision. See {@link ScaledHalves} for the error; squaring a root doubles its
 * relative error. Integers are too coarse for moments.
 *
 * <p>With {@link Averaging#PARAMETERS}, differences of parameters are sent, those of workers and their mean, in any encoding.
 */
public enum Payload {
    /** Single precision; parameters and moments are sent directly from the student's memory where possible. */
    FP32(RawFloats.INSTANCE) {
        @Override
        public ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin) {
            return end;
        }

        @Override
        void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
            unpack(packed, end);
        }

        @Override
        public ByteBuffer packMoments(ByteBuffer moments) {
            return moments;
        }

        @Override
        void unpackMoments(ByteBuffer packed, float[] moments) {
            unpack(packed, moments);
        }
    },

    FP16(ScaledHalves.INSTANCE),
    INT8(ScaledIntegers.EIGHT_BITS),
    INT4(ScaledIntegers.FOUR_BITS);

    /** Number of values packed at once: few enough to stay in the processor's cache. */
    static final int CHUNK = 1 << 14;

    private final FloatCoding coding;

    Payload(FloatCoding coding) {
        this.coding = coding;
    }

    /** In-place transformation of values before rounding. */
    private interface Change {
        void apply(float[] values);
    }

    /** Whether moments survive it. */
    public boolean isForMoments() {
        return this == FP32 || this == FP16;
    }

    /** Returns the number of bytes that {@code floats} values take. */
    public int bytes(int floats) {
        return coding.bytes(floats);
    }

    /** Packs values: {@value #CHUNK}, or as many as are left. */
    void pack(float[] values, ByteBuffer packed) {
        coding.pack(values, packed);
    }

    /** Unpacks as many values, like {@link #pack}. */
    void unpack(ByteBuffer packed, float[] values) {
        coding.unpack(packed, values);
    }

    /**
     * Packs the parameters at the end of a worker's round.
     *
     * @param end   final parameters as floats; may itself be returned
     * @param begin the round's initial parameters
     */
    public ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin) {
        float[] from = new float[CHUNK];
        return pack(end, difference -> {
            begin.get(from, 0, difference.length);
            for (int i = 0; i < difference.length; i++) {
                difference[i] -= from[i];
            }
        });
    }

    /**
     * Unpacks the next parameters: {@value #CHUNK}, or as many as are left.
     *
     * @param packed buffer whose position advances
     * @param begin  the round's initial parameters
     * @param end    receives the parameters
     */
    void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
        unpack(packed, end);
        for (int i = 0; i < end.length; i++) {
            end[i] += begin[i];
        }
    }

    /**
     * Packs moments.
     *
     * @param moments as floats; may itself be returned
     */
    public ByteBuffer packMoments(ByteBuffer moments) {
        return pack(moments, roots -> {
            for (int i = 0; i < roots.length; i++) {
                roots[i] = Math.copySign((float) Math.sqrt(Math.abs(roots[i])), roots[i]);
            }
        });
    }

    /** Unpacks the next moments, like {@link #unpackParameters}. */
    void unpackMoments(ByteBuffer packed, float[] moments) {
        unpack(packed, moments);
        for (int i = 0; i < moments.length; i++) {
            moments[i] *= Math.abs(moments[i]);
        }
    }

    private ByteBuffer pack(ByteBuffer floats, Change change) {
        FloatBuffer values = floats.asFloatBuffer();
        ByteBuffer packed = StateLayout.littleEndian(new byte[bytes(values.remaining())]);
        float[] whole = new float[CHUNK];
        while (values.hasRemaining()) {
            float[] chunk = values.remaining() >= CHUNK ? whole : new float[values.remaining()];
            values.get(chunk);
            change.apply(chunk);
            pack(chunk, packed);
        }
        return packed.flip();
    }

    /** Floats as they are. */
    private enum RawFloats implements FloatCoding {
        INSTANCE;

        @Override
        public int bytes(int floats) {
            return Math.multiplyExact(floats, Float.BYTES);
        }

        @Override
        public void pack(float[] values, ByteBuffer packed) {
            packed.asFloatBuffer().put(values);
            packed.position(packed.position() + bytes(values.length));
        }

        @Override
        public void unpack(ByteBuffer packed, float[] values) {
            packed.asFloatBuffer().get(values);
            packed.position(packed.position() + bytes(values.length));
        }
    }
}
