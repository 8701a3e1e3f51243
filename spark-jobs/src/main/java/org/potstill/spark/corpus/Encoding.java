// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.potstill.checkpoints.io.FileSignature;

/**
 * The encoding of a text, detected from its first bytes: a byte-order mark or, for UTF-16 and UTF-32 without one, the zeros of
 * ASCII characters.
 *
 * @param charset UTF-8 by default
 * @param mark    length of the byte-order mark in bytes
 */
record Encoding(Charset charset, int mark) {
    private static final int EXAMINED = 4096;
    /** ASCII characters that show UTF-16 in bytes that are not UTF-8: single zeros in a text of another encoding do not. */
    private static final int MIN_ASCII = 4;
    private static final int MAX_UNITS_PER_ASCII = 50;
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

    /** Whether a file that begins with these bytes is text: in UTF-16 or UTF-32, or in UTF-8 without control characters. */
    static boolean isText(byte[] head) {
        int length = Math.min(head.length, FileSignature.BYTES);
        if (!of(head).isUtf8()) {
            return true;
        }
        for (int i = 0; i < length; i++) {
            int b = head[i] & 0xff;
            if (b < 0x20 && b != '\t' && b != '\n' && b != '\r' && b != '\f' && b != 0x1b) {
                return false;
            }
        }
        return Utf8.begins(head, length);
    }

    /** Detects the format of a file by its first bytes. */
    static Optional<FileSignature> signature(byte[] head) {
        return FileSignature.of(head, isText(head));
    }

    private static Charset byZeros(byte[] head) {
        ByteBuffer units = ByteBuffer.wrap(head, 0, Math.min(head.length, EXAMINED));
        if (isUtf32(units.order(ByteOrder.LITTLE_ENDIAN))) {
            return UTF_32LE;
        } else if (isUtf32(units.order(ByteOrder.BIG_ENDIAN))) {
            return UTF_32BE;
        }
        int little = ascii(units.order(ByteOrder.LITTLE_ENDIAN));
        int big = ascii(units.order(ByteOrder.BIG_ENDIAN));
        int whole = units.limit() / 2;
        int needed = mayBeUtf8(head, units.limit()) ? Math.max(2, whole / 2 + 1) : Math.max(MIN_ASCII, whole / MAX_UNITS_PER_ASCII);
        return Math.max(little, big) < needed || little == big ? StandardCharsets.UTF_8
                : little > big ? StandardCharsets.UTF_16LE : StandardCharsets.UTF_16BE;
    }

    /** Whether it is UTF-8, maybe with zeros in it; the alphabets of U+0300 to U+06FF are control characters then. */
    private static boolean mayBeUtf8(byte[] head, int length) {
        for (int i = 0; i < length; i++) {
            if (head[i] > 0 && head[i] < '\t') {
                return false;
            }
        }
        return Utf8.begins(head, length);
    }

    /** Whether all units are code points: the first of each four bytes is zero, which no other text's are. */
    private static boolean isUtf32(ByteBuffer bytes) {
        int whole = bytes.limit() / 4;
        for (int i = 0; i < whole; i++) {
            int code = bytes.getInt(4 * i);
            if (!Character.isValidCodePoint(code) || !isText(code)) {
                return false;
            }
        }
        return whole > 0;
    }

    /** Counts the ASCII characters of bytes read as UTF-16; 0 if they are not a text then. */
    private static int ascii(ByteBuffer bytes) {
        int ascii = 0;
        int whole = bytes.limit() / 2;
        for (int i = 0; i < whole; i++) {
            char unit = bytes.getChar(2 * i);
            int code = unit;
            if (Character.isHighSurrogate(unit)) {
                if (++i == whole) {
                    break;
                }
                code = Character.isLowSurrogate(bytes.getChar(2 * i)) ? Character.toCodePoint(unit, bytes.getChar(2 * i)) : unit;
            }
            if (!isText(code)) {
                return 0;
            }
            ascii += code < 0x80 ? 1 : 0;
        }
        return ascii;
    }

    private static boolean isText(int code) {
        return switch (Character.getType(code)) {
            // Newer versions of Unicode assign more code points above U+FFFF.
            case Character.UNASSIGNED -> code > 0xffff;
            case Character.PRIVATE_USE, Character.SURROGATE -> false;
            case Character.CONTROL -> code == '\t' || code == '\n' || code == '\r' || code == '\f' || code == 0x1b;
            default -> true;
        };
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
