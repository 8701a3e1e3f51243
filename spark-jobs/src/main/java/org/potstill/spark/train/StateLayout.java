package org.potstill.spark.train;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * How a {@link ModelState} is cut into slices, which are averaged side by side: as many as there are workers, or more, so that
 * none grows beyond what one array or message may hold. As bytes a slice is its parameters, its part of the updater's state and
 * its part of the outer momentum, little-endian floats.
 *
 * @param parameters   of the student
 * @param updaterState length of that
 * @param momentum     as many as parameters, or none
 * @param slices       how many
 */
record StateLayout(int parameters, int updaterState, int momentum, int slices) implements Serializable {
    private static final long MAX_BYTES = 64 << 20;

    /**
     * A part of each array.
     *
     * @param firstParameter where it begins in the whole state
     * @param parameters     how many
     * @param firstMoment    of the updater's state
     * @param moments        how many
     * @param firstMomentum  of the outer optimizer's
     * @param momentum       how many
     */
    record Slice(int firstParameter, int parameters, int firstMoment, int moments, int firstMomentum, int momentum) {
        int bytes() {
            return Math.multiplyExact(parameters + moments + momentum, Float.BYTES);
        }
    }

    static StateLayout of(ModelState state, int workers) {
        return new StateLayout(state.parameters().length, state.updaterState().length, state.momentum().length,
                Math.toIntExact(Math.max(workers, (state.bytes() + MAX_BYTES - 1) / MAX_BYTES)));
    }

    Slice slice(int index) {
        return new Slice(begin(parameters, index), begin(parameters, index + 1) - begin(parameters, index),
                begin(updaterState, index), begin(updaterState, index + 1) - begin(updaterState, index),
                begin(momentum, index), begin(momentum, index + 1) - begin(momentum, index));
    }

    /** Where slice {@code index} of an array begins; the end of the array for {@code index = slices}. */
    private int begin(int length, int index) {
        return (int) ((long) length * index / slices);
    }

    /** The bytes of a slice of a whole state. */
    byte[] cut(ModelState whole, int index) {
        Slice slice = slice(index);
        byte[] bytes = new byte[slice.bytes()];
        littleEndian(bytes).asFloatBuffer()
                .put(whole.parameters(), slice.firstParameter(), slice.parameters())
                .put(whole.updaterState(), slice.firstMoment(), slice.moments())
                .put(whole.momentum(), slice.firstMomentum(), slice.momentum());
        return bytes;
    }

    /** Puts a slice's bytes to their place in a whole state. */
    void paste(byte[] bytes, int index, ModelState whole) {
        Slice slice = slice(index);
        littleEndian(bytes).asFloatBuffer()
                .get(whole.parameters(), slice.firstParameter(), slice.parameters())
                .get(whole.updaterState(), slice.firstMoment(), slice.moments())
                .get(whole.momentum(), slice.firstMomentum(), slice.momentum());
    }

    /** A state to {@link #paste} to. */
    ModelState blank() {
        return new ModelState(new float[parameters], new float[updaterState], new float[momentum]);
    }

    static ByteBuffer littleEndian(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
