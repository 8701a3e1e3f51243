package org.potstill.spark.train;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * How what a worker has learnt travels to be averaged. The average itself travels in single precision.
 *
 * <p>In half precision parameters travel as their differences to the round's beginning, and moments as their square roots
 * with their signs: Adam's second moments lie in squares, too far apart for a half; their roots do not. See
 * {@link ScaledHalves} for the error, of which a root's share doubles when it is squared.
 */
enum Payload {
    /** As it is, from where it is. */
    FP32 {
        @Override
        int bytes(int floats) {
            return Math.multiplyExact(floats, Float.BYTES);
        }

        @Override
        ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin) {
            return end;
        }

        @Override
        void unpackParameters(ByteBuffer packed, float[] begin, float[] end) {
            unpackMoments(packed, end);
        }

        @Override
        ByteBuffer packMoments(ByteBuffer moments) {
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
        int bytes(int floats) {
            return ScaledHalves.bytes(floats);
        }

        @Override
        ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin) {
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
        ByteBuffer packMoments(ByteBuffer moments) {
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

    /** Values are taken apart by so many at once: few enough for the processor's cache while they are worked on. */
    static final int CHUNK = 1 << 14;

    /** Changes values before they are rounded. */
    private interface Change {
        void apply(float[] values);
    }

    /** How many {@code floats} take. */
    abstract int bytes(int floats);

    /**
     * Packs the parameters that a worker ended a round with.
     *
     * @param end   as floats; may be what is returned
     * @param begin those that it began with
     */
    abstract ByteBuffer packParameters(ByteBuffer end, FloatBuffer begin);

    /**
     * Takes apart the next ones, {@value #CHUNK} of them or what is left.
     *
     * @param packed its position moves on
     * @param end    filled
     */
    abstract void unpackParameters(ByteBuffer packed, float[] begin, float[] end);

    /** @param moments as floats; may be what is returned */
    abstract ByteBuffer packMoments(ByteBuffer moments);

    /** The same of moments. */
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
