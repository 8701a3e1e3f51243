package org.potstill.teacher;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.List;

/**
 * Sequences laid out for the graph: all tokens but the last are read, all but the first are predicted.
 *
 * @param sequences    token ids, each 2 or longer
 * @param paddedLength at least the longest sequence less one
 */
record TokenBatch(List<int[]> sequences, int paddedLength) {
    /** Positions that count, over all sequences. */
    int positions() {
        return sequences.stream().mapToInt(s -> s.length - 1).sum();
    }

    /** [B, T], padded on the right with token 0, which no real position sees. */
    LongBuffer inputIds() {
        LongBuffer ids = direct(sequences.size() * (long) paddedLength);
        for (int row = 0; row < sequences.size(); row++) {
            int[] sequence = sequences.get(row);
            for (int t = 0; t < sequence.length - 1; t++) {
                ids.put(row * paddedLength + t, sequence[t]);
            }
        }
        return ids;
    }

    /** [N]: flat index of each position that counts. */
    LongBuffer flatPositions() {
        LongBuffer flat = direct(positions());
        for (int row = 0; row < sequences.size(); row++) {
            for (int t = 0; t < sequences.get(row).length - 1; t++) {
                flat.put((long) row * paddedLength + t);
            }
        }
        return flat.flip();
    }

    /** [N]: the token that follows each of them. */
    LongBuffer nextIds() {
        LongBuffer next = direct(positions());
        for (int[] sequence : sequences) {
            for (int t = 1; t < sequence.length; t++) {
                next.put(sequence[t]);
            }
        }
        return next.flip();
    }

    static LongBuffer direct(long length) {
        return ByteBuffer.allocateDirect(Math.toIntExact(8 * length)).order(ByteOrder.nativeOrder()).asLongBuffer();
    }
}
