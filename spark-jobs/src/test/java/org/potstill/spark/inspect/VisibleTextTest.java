// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class VisibleTextTest {
    @Test
    void invisibleCharactersAreEscaped() {
        assertEquals("a b\\n\\t\\r\\\\", VisibleText.of("a b\n\t\r\\", 100));
        assertEquals("\\u001b[31m\\u0000\\u007f\\u009b", VisibleText.of("\u001b[31m\0\u007f\u009b", 100));
        assertEquals("\\u202e\\u200b\\u2028\\u00a0\\ud800\\ue000", VisibleText.of("\u202e\u200b\u2028\u00a0\ud800\ue000", 100));
        assertEquals("\u00e9 \u6f22 \ud83d\ude00", VisibleText.of("\u00e9 \u6f22 \ud83d\ude00", 100));
    }

    @Test
    void aLongTextIsCutBetweenCharacters() {
        assertEquals("abcdefgh", VisibleText.of("abcdefgh", 8));
        assertEquals("abcdef..", VisibleText.of("abcdefghi", 8));
        assertEquals("abcde..", VisibleText.of("abcde\n\n", 8));
        assertTrue(VisibleText.of("\u001b".repeat(1 << 20), 16).length() <= 16);
    }
}
