package org.potstill.spark.train;

import java.io.Serializable;

/**
 * How the two arrays of a {@link ModelState} are cut to be averaged side by side: into as many slices as there are workers,
 * or more, so that none grows beyond what one message of Spark's may hold.
 */
record Slicing(int count) implements Serializable {
    private static final long MAX_BYTES = 64 << 20;

    static Slicing of(ModelState state, int workers) {
        return new Slicing(Math.toIntExact(Math.max(workers, (state.bytes() + MAX_BYTES - 1) / MAX_BYTES)));
    }

    /** Where slice {@code index} of an array begins; the end of the array for {@code index = count}. */
    int begin(int length, int index) {
        return (int) ((long) length * index / count);
    }
}
