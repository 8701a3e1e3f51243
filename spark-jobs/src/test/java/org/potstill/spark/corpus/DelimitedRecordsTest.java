// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class DelimitedRecordsTest {
    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** A stream that gives a few bytes at a time. */
    private static InputStream slow(String text, Random random) {
        return new ByteArrayInputStream(bytes(text)) {
            @Override
            public synchronized int read(byte[] buffer, int offset, int length) {
                return super.read(buffer, offset, Math.min(length, 1 + random.nextInt(3)));
            }
        };
    }

    private static List<String> read(String text, String delimiter, int maxBytes) throws IOException {
        DelimitedRecords records = new DelimitedRecords(slow(text, new Random(1)), 0, bytes(delimiter), maxBytes);
        List<String> read = new ArrayList<>();
        while (records.next()) {
            read.add(records.begin() + ":" + (records.isTooLong() ? records.length() + " bytes"
                    : new String(records.bytes(), 0, (int) records.length(), StandardCharsets.UTF_8)));
        }
        return read;
    }

    @Test
    void recordsAreWhatStandsBetweenDelimiters() throws IOException {
        assertEquals(List.of("0:a", "2:", "3:bc"), read("a\n\nbc", "\n", 10));
        assertEquals(List.of("0:a", "2:b"), read("a\nb\n", "\n", 10));
        assertEquals(List.of(), read("", "\n", 10));
        assertEquals(List.of("0:a<", "5:b|>"), read("a<<|>b|>", "<|>", 10));
    }

    @Test
    void aDelimiterThatBeginsWithinItselfIsFound() throws IOException {
        assertEquals(List.of("0:xaab", "9:y"), read("xaabaabacy", "aabac", 10));
    }

    @Test
    void randomTextsAreSplitAsStringsAre() throws IOException {
        Random random = new Random(7);
        for (int round = 0; round < 500; round++) {
            StringBuilder text = new StringBuilder();
            for (int i = random.nextInt(40); i > 0; i--) {
                text.append((char) ('a' + random.nextInt(2)));
            }
            String delimiter = List.of("a", "ab", "aab", "aa", "abab").get(random.nextInt(5));
            List<String> expected = new ArrayList<>(Arrays.asList((text + "$").split(delimiter, -1)));
            String last = expected.remove(expected.size() - 1);
            if (last.length() > 1) {
                expected.add(last.substring(0, last.length() - 1));
            }
            assertEquals(expected, read(text.toString(), delimiter, 100).stream().map(r -> r.substring(r.indexOf(':') + 1)).toList(),
                    text + " by " + delimiter);
        }
    }

    @Test
    void ofWhatIsTooLongOnlyTheLengthIsKept() throws IOException {
        assertEquals(List.of("0:abc", "4:1000 bytes", "1005:x"), read("abc\n" + "y".repeat(1000) + "\nx", "\n", 3));
        DelimitedRecords records = new DelimitedRecords(new ByteArrayInputStream(new byte[10_000_000]), 0, bytes("\n"), 1000);
        assertTrue(records.next() && records.isTooLong());
        assertEquals(10_000_000, records.length());
        assertTrue(records.bytes().length <= 4096);
    }

    @Test
    void delimitersThatOverlapThemselvesDoNotStandAlone() {
        assertTrue(DelimitedRecords.standsAlone(bytes("\n")));
        assertTrue(DelimitedRecords.standsAlone(bytes("<|endoftext|>")));
        assertFalse(DelimitedRecords.standsAlone(bytes("\n\n")));
        assertFalse(DelimitedRecords.standsAlone(bytes("abcab")));
    }
}
