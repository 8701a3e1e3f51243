// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** The records between delimiters in a stream; only the length of overlong ones is kept. */
final class DelimitedRecords {
    private final InputStream in;
    private final byte[] delimiter;
    /** Failure function of Knuth, Morris and Pratt: the length of the match that remains after a mismatch. */
    private final int[] fallback;
    private final int maxBytes;
    private final byte[] buffer = new byte[1 << 16];
    private int read;
    private int end;
    private long place;
    private byte[] bytes = new byte[1 << 12];
    private long begin;
    private long length;

    /** @param place of the stream's first byte */
    DelimitedRecords(InputStream in, long place, byte[] delimiter, int maxBytes) {
        this.in = in;
        this.place = place;
        this.delimiter = delimiter;
        this.maxBytes = maxBytes;
        this.fallback = fallback(delimiter);
    }

    private static int[] fallback(byte[] delimiter) {
        int[] border = new int[delimiter.length + 1];
        for (int i = 1, matched = 0; i < delimiter.length; i++) {
            while (matched > 0 && delimiter[i] != delimiter[matched]) {
                matched = border[matched];
            }
            matched += delimiter[i] == delimiter[matched] ? 1 : 0;
            border[i + 1] = matched;
        }
        return border;
    }

    /** Whether occurrences cannot overlap, so that they are the same wherever the search starts. */
    static boolean standsAlone(byte[] delimiter) {
        return fallback(delimiter)[delimiter.length] == 0;
    }

    /**
     * Moves to the next record.
     *
     * @return whether there is one
     */
    boolean next() throws IOException {
        begin = place;
        length = 0;
        int matched = 0;
        while (matched < delimiter.length) {
            if (read == end && !fill()) {
                return length > 0;
            }
            int from = read;
            while (read < end && matched < delimiter.length) {
                byte next = buffer[read++];
                while (matched > 0 && next != delimiter[matched]) {
                    matched = fallback[matched];
                }
                matched += next == delimiter[matched] ? 1 : 0;
            }
            append(from, read - from);
        }
        length -= delimiter.length;
        return true;
    }

    private boolean fill() throws IOException {
        int count;
        do {
            count = in.read(buffer, 0, buffer.length);
        } while (count == 0);
        read = 0;
        end = Math.max(0, count);
        return count > 0;
    }

    private void append(int from, int count) {
        int kept = (int) Math.min(length, maxBytes + (long) delimiter.length);
        int more = (int) Math.min(count, maxBytes + (long) delimiter.length - kept);
        if (kept + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, (int) Math.min(maxBytes + (long) delimiter.length, Math.max(kept + more, 2L * bytes.length)));
        }
        System.arraycopy(buffer, from, bytes, kept, more);
        length += count;
        place += count;
    }

    /** Returns the position where the record begins. */
    long begin() {
        return begin;
    }

    /** Returns the position where the next record begins. */
    long place() {
        return place;
    }

    /** Returns the record's length in bytes, without its delimiter. */
    long length() {
        return length;
    }

    boolean isTooLong() {
        return length > maxBytes;
    }

    /** Returns an array that starts with the record's {@link #length} bytes, unless it is too long. Valid until the next record. */
    byte[] bytes() {
        return bytes;
    }
}
