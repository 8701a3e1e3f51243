package org.potstill.spark.cache;

import org.apache.spark.Partitioner;

/** Ranges of keys of equal width. Keys are hashes, so that each has as many rows, and no sample has to be drawn. */
final class KeyRanges extends Partitioner {
    private final int ranges;

    KeyRanges(int ranges) {
        this.ranges = ranges;
    }

    @Override
    public int numPartitions() {
        return ranges;
    }

    /** By the first eight of a key's hex digits; what is no key stays, in the first range, for who verifies to find. */
    @Override
    public int getPartition(Object key) {
        String digits = (String) key;
        return digits.matches("[0-9a-f]{8}.*") ? (int) (Long.parseLong(digits.substring(0, 8), 16) * ranges >>> 32) : 0;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof KeyRanges same && same.ranges == ranges;
    }

    @Override
    public int hashCode() {
        return ranges;
    }
}
