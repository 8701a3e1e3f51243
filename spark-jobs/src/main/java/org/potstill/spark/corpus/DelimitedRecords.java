package org.potstill.spark.corpus;

import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;

/** What is between delimiters in a stream, piece by piece; of what is longer than allowed only the length is known. */
final class DelimitedRecords {
    private final InputStream in;
    private final byte[] delimiter;
    /** How much of the delimiter is matched still, where the byte after so many of its bytes is another (Knuth, Morris, Pratt). */
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

    /** Whether places where it stands cannot overlap, so that they are the same from wherever one looks. */
    static boolean standsAlone(byte[] delimiter) {
        return fallback(delimiter)[delimiter.length] == 0;
    }

    /** @return whether there was one more */
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

    /** Where the record begins. */
    long begin() {
        return begin;
    }

    /** Where the next one begins. */
    long place() {
        return place;
    }

    /** Of the record, without its delimiter, in bytes. */
    long length() {
        return length;
    }

    boolean isTooLong() {
        return length > maxBytes;
    }

    /** The record from the array's first byte on, {@link #length} bytes unless it is too long. Valid until the next one. */
    byte[] bytes() {
        return bytes;
    }
}
