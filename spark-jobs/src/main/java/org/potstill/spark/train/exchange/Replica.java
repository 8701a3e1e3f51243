// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import org.potstill.spark.train.state.StateLayout;

/**
 * An executor's copy of a state, slice by slice; slices not yet obtained are null.
 *
 * @param whole  whether it has moments
 * @param layout of its slices
 * @param means  packed means that led to slices, see {@link StateSource#MEAN}
 * @param locks  one per slice, held by the one who obtains it
 */
record Replica(boolean whole, StateLayout layout, AtomicReferenceArray<byte[]> slices, AtomicReferenceArray<byte[]> means, List<ReentrantLock> locks) {
    /** @param layout of a whole state */
    static Replica of(boolean whole, StateLayout layout) {
        int count = layout.slices();
        return new Replica(whole, whole ? layout : layout.withoutMoments(), new AtomicReferenceArray<>(count), new AtomicReferenceArray<>(count),
                IntStream.range(0, count).mapToObj(i -> new ReentrantLock()).toList());
    }

    /**
     * Returns a slice in the layout of a whole state, with zeros for the moments that it does not have.
     *
     * @param ofWhole the slice's place there
     */
    byte[] withMoments(int index, StateLayout.Slice ofWhole) {
        byte[] bytes = slices.get(index);
        if (whole) {
            return bytes;
        }
        int parameterBytes = Math.multiplyExact(ofWhole.parameters(), Float.BYTES);
        byte[] all = Arrays.copyOf(Arrays.copyOf(bytes, parameterBytes), ofWhole.bytes());
        int momentumBytes = bytes.length - parameterBytes;
        System.arraycopy(bytes, parameterBytes, all, all.length - momentumBytes, momentumBytes);
        return all;
    }
}
