// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * The encoding of a text, detected from its first bytes: a byte-order mark or, for UTF-16 and UTF-32 without one, the position of
 * zeros.
 *
 * @param charset UTF-8 by default
 * @param mark    length of the byte-order mark in bytes
 */
record Encoding(Charset charset, int mark) {
    private static final Charset UTF_32LE = Charset.forName("UTF-32LE");
    private static final Charset UTF_32BE = Charset.forName("UTF-32BE");

    static Encoding of(byte[] head) {
        if (begins(head, 0xef, 0xbb, 0xbf)) {
            return new Encoding(StandardCharsets.UTF_8, 3);
        } else if (begins(head, 0xff, 0xfe, 0, 0)) {
            return new Encoding(UTF_32LE, 4);
        } else if (begins(head, 0, 0, 0xfe, 0xff)) {
            return new Encoding(UTF_32BE, 4);
        } else if (begins(head, 0xff, 0xfe)) {
            return new Encoding(StandardCharsets.UTF_16LE, 2);
        } else if (begins(head, 0xfe, 0xff)) {
            return new Encoding(StandardCharsets.UTF_16BE, 2);
        }
        return new Encoding(byZeros(head), 0);
    }

    /** Detects UTF-16 and UTF-32: Latin text has zeros in most code units, always at the same end. */
    private static Charset byZeros(byte[] head) {
        int units = Math.min(head.length, 4096) / 4;
        int[] zeros = new int[4];
        for (int i = 0; i < 4 * units; i++) {
            zeros[i % 4] += head[i] == 0 ? 1 : 0;
        }
        if (units > 0 && zeros[3] == units && zeros[2] == units && zeros[0] == 0) {
            return UTF_32LE;
        } else if (units > 0 && zeros[0] == units && zeros[1] == units && zeros[3] == 0) {
            return UTF_32BE;
        } else if (zeros[0] + zeros[2] == 0 && zeros[1] + zeros[3] > units) {
            return StandardCharsets.UTF_16LE;
        } else if (zeros[1] + zeros[3] == 0 && zeros[0] + zeros[2] > units) {
            return StandardCharsets.UTF_16BE;
        }
        return StandardCharsets.UTF_8;
    }

    private static boolean begins(byte[] head, int... bytes) {
        for (int i = 0; i < bytes.length; i++) {
            if (i >= head.length || (head[i] & 0xff) != bytes[i]) {
                return false;
            }
        }
        return true;
    }

    /** Returns a decoder that rejects invalid input, which Java's default decoders replace. */
    static CharsetDecoder strict(Charset charset) {
        return charset.newDecoder().onMalformedInput(CodingErrorAction.REPORT).onUnmappableCharacter(CodingErrorAction.REPORT);
    }

    boolean isUtf8() {
        return charset.equals(StandardCharsets.UTF_8);
    }
}
