// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.state;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Division of a state into slices, which are averaged in parallel: as many as there are workers, or more if a slice would otherwise
 * be too large. A slice's bytes are its parameters, its part of the updater's state and its part of the outer momentum, as
 * little-endian floats.
 *
 * @param parameters   number of the student's parameters
 * @param updaterState length of the updater's state
 * @param momentum     length of the outer momentum: that of the parameters, or 0
 * @param slices       number of slices
 */
public record StateLayout(int parameters, int updaterState, int momentum, int slices) implements Serializable {
    private static final long MAX_BYTES = 64 << 20;
    /** Maximum bytes of all workers' values of a slice, which are in memory while it is averaged. */
    private static final long MAX_AVERAGED = 256 << 20;

    /**
     * A range of each of the state's arrays.
     *
     * @param firstParameter index of the first parameter
     * @param parameters     number of parameters
     * @param firstMoment    index of the first value of the updater's state
     * @param moments        number of these values
     * @param firstMomentum  index of the first value of the outer momentum
     * @param momentum       number of these values
     */
    public record Slice(int firstParameter, int parameters, int firstMoment, int moments, int firstMomentum, int momentum) {
        public int bytes() {
            return Math.multiplyExact(parameters + moments + momentum, Float.BYTES);
        }
    }

    public static StateLayout of(int parameters, int updaterState, int momentum, int workers) {
        long bytes = Float.BYTES * ((long) parameters + updaterState + momentum);
        long slices = Math.max(workers, Math.max(ceiling(bytes, MAX_BYTES), ceiling(bytes * workers, MAX_AVERAGED)));
        return new StateLayout(parameters, updaterState, momentum, Math.toIntExact(slices));
    }

    private static long ceiling(long bytes, long part) {
        return (bytes + part - 1) / part;
    }

    /** Returns the layout without the updater's state, in as many slices. */
    public StateLayout withoutMoments() {
        return new StateLayout(parameters, 0, momentum, slices);
    }

    /** Returns the size of the whole state in bytes. */
    public long bytes() {
        return Float.BYTES * ((long) parameters + updaterState + momentum);
    }

    /** Returns an upper bound of the largest slice's size in bytes. */
    public long sliceBytes() {
        return ceiling(bytes(), slices) + 3 * Float.BYTES;
    }

    public Slice slice(int index) {
        return new Slice(begin(parameters, index), begin(parameters, index + 1) - begin(parameters, index),
                begin(updaterState, index), begin(updaterState, index + 1) - begin(updaterState, index),
                begin(momentum, index), begin(momentum, index + 1) - begin(momentum, index));
    }

    /** Returns the first index of slice {@code index} in an array; the array's length for {@code index = slices}. */
    private int begin(int length, int index) {
        return (int) ((long) length * index / slices);
    }

    public static ByteBuffer littleEndian(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
}
