// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/** Strict decoding of UTF-8. */
final class Utf8 {
    private Utf8() {
    }

    /** Decodes a document; one with a problem if the bytes are not UTF-8. */
    static Document document(String id, byte[] bytes, int begin, int length) {
        try {
            return Document.of(id, decoder().decode(ByteBuffer.wrap(bytes, begin, length)).toString());
        } catch (CharacterCodingException e) {
            return Document.unusable(id, problem(bytes, begin, length));
        }
    }

    private static CharsetDecoder decoder() {
        return Encoding.strict(StandardCharsets.UTF_8);
    }

    /** Whether a longer text may begin with these bytes. */
    static boolean begins(byte[] bytes, int length) {
        return !decoder().decode(ByteBuffer.wrap(bytes, 0, length), CharBuffer.allocate(length), false).isError();
    }

    /**
     * Says why bytes are not UTF-8, in constant memory.
     *
     * @return null if they are
     */
    static String problem(byte[] bytes, int begin, int length) {
        ByteBuffer in = ByteBuffer.wrap(bytes, begin, length);
        CharBuffer out = CharBuffer.allocate(8192);
        CharsetDecoder decoder = decoder();
        CoderResult result;
        do {
            out.clear();
            result = decoder.decode(in, out, true);
        } while (result.isOverflow());
        if (!result.isError()) {
            return null;
        }
        int at = in.position();
        int wrong = bytes[at] & 0xff;
        String hint = wrong == 0xed && at + 1 < begin + length && (bytes[at + 1] & 0xe0) == 0xa0
                ? " begins half of a surrogate pair; if it is CESU-8, convert it (uconv -f CESU-8 -t UTF-8)"
                : wrong >= 0x80 && !hasControls(bytes, begin, length)
                ? "; if it is in another encoding, such as Windows-1252, convert it (iconv -f WINDOWS-1252 -t UTF-8)" : "";
        return String.format(Locale.ROOT, "not UTF-8: byte 0x%02X at offset %d%s", wrong, at - begin, hint);
    }

    private static boolean hasControls(byte[] bytes, int begin, int length) {
        for (int i = begin; i < begin + Math.min(length, 4096); i++) {
            if (bytes[i] >= 0 && bytes[i] < 9) {
                return true;
            }
        }
        return false;
    }
}
