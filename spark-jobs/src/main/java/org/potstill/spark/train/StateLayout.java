package org.potstill.spark.train;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * How a state is cut into slices, which are averaged side by side: as many as there are workers, or more, so that
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
    /** Whoever averages a slice has it of all workers in memory. */
    private static final long MAX_AVERAGED = 256 << 20;

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

    static StateLayout of(int parameters, int updaterState, int momentum, int workers) {
        long bytes = Float.BYTES * ((long) parameters + updaterState + momentum);
        long slices = Math.max(workers, Math.max(ceiling(bytes, MAX_BYTES), ceiling(bytes * workers, MAX_AVERAGED)));
        return new StateLayout(parameters, updaterState, momentum, Math.toIntExact(slices));
    }

    private static long ceiling(long bytes, long part) {
        return (bytes + part - 1) / part;
    }

    /** Of the whole state. */
    long bytes() {
        return Float.BYTES * ((long) parameters + updaterState + momentum);
    }

    /** Of the largest slice. */
    long sliceBytes() {
        return ceiling(bytes(), slices) + 3 * Float.BYTES;
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

    static ByteBuffer littleEndian(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
