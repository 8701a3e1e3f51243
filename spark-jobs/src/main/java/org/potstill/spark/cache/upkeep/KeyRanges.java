// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache.upkeep;

import org.apache.spark.Partitioner;

/** Partitioner by key ranges of equal width. Keys are hashes, so partitions are balanced without sampling. */
final class KeyRanges extends Partitioner {
    private final int ranges;

    KeyRanges(int ranges) {
        this.ranges = ranges;
    }

    @Override
    public int numPartitions() {
        return ranges;
    }

    /** Partitions by a key's first eight hex digits; invalid keys go to the first range and are kept for verification to find. */
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
