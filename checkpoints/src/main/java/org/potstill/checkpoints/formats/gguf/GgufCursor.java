// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.CheckpointErrors;

/** A sequential reader of a GGUF header through a small window, which never reads past the end of the file. */
final class GgufCursor {
    private static final int WINDOW_BYTES = 1 << 16;

    private final BoundedFile file;
    private ByteBuffer window = ByteBuffer.allocate(0);
    private long windowEnd;

    GgufCursor(BoundedFile file) {
        this.file = file;
    }

    long position() {
        return windowEnd - window.remaining();
    }

    byte int8(String what) {
        return ahead(1, what).get();
    }

    short int16(String what) {
        return ahead(2, what).getShort();
    }

    int int32(String what) {
        return ahead(4, what).getInt();
    }

    long int64(String what) {
        return ahead(8, what).getLong();
    }

    /** Reads a 64-bit count of items of at least {@code bytesEach} bytes, which must fit into the rest of the file. */
    int count(String what, int max, int bytesEach) {
        long count = int64(what);
        long left = file.size() - position();
        if (count < 0 || count > max) {
            throw CheckpointErrors.malformed(file.path(), "GGUF",
                    what + " is " + Long.toUnsignedString(count) + ", above any sane " + max);
        }
        if (count * bytesEach > left) {
            throw CheckpointErrors.malformed(file.path(), "GGUF",
                    what + " is " + count + ", more than the remaining " + left + " bytes can hold");
        }
        return (int) count;
    }

    String string(String what, int maxBytes) {
        int length = count("the length of " + what, maxBytes, 1);
        if (length <= window.remaining()) {
            String text = new String(window.array(), window.position(), length, StandardCharsets.UTF_8);
            window.position(window.position() + length);
            return text;
        }
        long start = position();
        byte[] bytes = file.read(start, length, what).array();
        window = ByteBuffer.allocate(0);
        windowEnd = start + length;
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private ByteBuffer ahead(int bytes, String what) {
        if (window.remaining() < bytes) {
            long start = position();
            file.requireInside(start, bytes, what);
            int length = (int) Math.min(WINDOW_BYTES, file.size() - start);
            window = file.read(start, length, what);
            windowEnd = start + length;
        }
        return window;
    }
}
