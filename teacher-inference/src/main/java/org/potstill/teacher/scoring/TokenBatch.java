// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.List;

/**
 * A batch of sequences as a graph's inputs: all tokens but the last are read, all but the first predicted.
 *
 * @param sequences    token ids, each sequence 2 or longer
 * @param paddedLength at least the longest sequence less one
 */
public record TokenBatch(List<int[]> sequences, int paddedLength) {
    /** Returns the number N of positions without padding. */
    public int positions() {
        return sequences.stream().mapToInt(s -> s.length - 1).sum();
    }

    /** Returns the token ids [B, T], padded on the right with token 0, which no real position attends to. */
    public LongBuffer inputIds() {
        LongBuffer ids = direct(sequences.size() * (long) paddedLength);
        for (int row = 0; row < sequences.size(); row++) {
            int[] sequence = sequences.get(row);
            for (int t = 0; t < sequence.length - 1; t++) {
                ids.put(row * paddedLength + t, sequence[t]);
            }
        }
        return ids;
    }

    /** Returns the flat index of each position without padding, [N]. */
    public LongBuffer flatPositions() {
        LongBuffer flat = direct(positions());
        for (int row = 0; row < sequences.size(); row++) {
            for (int t = 0; t < sequences.get(row).length - 1; t++) {
                flat.put((long) row * paddedLength + t);
            }
        }
        return flat.flip();
    }

    /** Returns the next token of each of these positions, [N]. */
    public LongBuffer nextIds() {
        LongBuffer next = direct(positions());
        for (int[] sequence : sequences) {
            for (int t = 1; t < sequence.length; t++) {
                next.put(sequence[t]);
            }
        }
        return next.flip();
    }

    public static LongBuffer direct(long length) {
        return ByteBuffer.allocateDirect(Math.toIntExact(8 * length)).order(ByteOrder.nativeOrder()).asLongBuffer();
    }
}
