// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

class ResponsesTest {
    private static final Responses MARKED = responses("A: ", "\n");

    private static Responses responses(String start, String... end) {
        return new Responses(LearnFrom.EVERYTHING, List.of(bytes(start)), Arrays.stream(end).map(ResponsesTest::bytes).toList(), 1);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Responses.Found find(Responses responses, String... tokens) {
        return responses.find(Arrays.stream(tokens).map(ResponsesTest::bytes).toList());
    }

    /** The tokens that lie in responses. */
    private static String learnt(Responses responses, String... tokens) {
        boolean[] found = find(responses, tokens).tokens();
        StringBuilder learnt = new StringBuilder();
        for (int i = 0; i < tokens.length; i++) {
            learnt.append(found[i] ? tokens[i] + "|" : "");
        }
        return learnt.toString();
    }

    @Test
    void onlyWhatLiesBetweenTheMarkersIsLearntAndTheMarkerThatEndsIt() {
        assertEquals("x|y|\n|z|\n|", learnt(MARKED, "Q: ", "q", "\n", "A: ", "x", "y", "\n", "Q: ", "A", ": ", "z", "\n", "q"));
    }

    @Test
    void markersAreFoundHoweverTheirContextIsCutIntoTokens() {
        assertEquals(" x| y|\n\n|", learnt(MARKED, "q\nA", ":", " x", " y", "\n\n", "Q: q"));
        assertEquals(": x|", learnt(MARKED, "q\nA", ": x"));
        assertEquals(":\n\n|river|", learnt(responses("### Response:\n"), "###", " Response", ":\n\n", "river"));
    }

    @Test
    void markersThatATokenizerWritesOtherwiseAreFoundToo() {
        Responses forms = new Responses(LearnFrom.EVERYTHING, List.of(bytes("<a>\n"), bytes("<a>")), List.of(), 1);
        assertEquals("x|", learnt(forms, "<a>", "x"));
        assertEquals("x|", learnt(forms, "<a>", "\n", "x"));
    }

    @Test
    void aTokenWithPartOfACharacterIsLearntWithIt() {
        byte[] letter = bytes("é");
        boolean[] found = MARKED.find(List.of(bytes("A: "), new byte[] {letter[0]}, new byte[] {letter[1]}, bytes("\n"))).tokens();
        assertEquals("[false, true, true, true]", Arrays.toString(found));
    }

    @Test
    void anEmptyResponseIsItsEndAlone() {
        assertEquals("\n|", learnt(MARKED, "A: ", "\n", "q"));
    }

    @Test
    void withoutAnEndAResponseIsTheRestOfItsDocument() {
        assertEquals("x|\n|A: |y|", learnt(responses("A: "), "A: ", "x", "\n", "A: ", "y"));
    }

    @Test
    void tokensWithoutTextAreNotLearnt() {
        assertEquals("x|\n|", learnt(MARKED, "", "A: ", "", "x", "", "\n", ""));
    }

    @Test
    void missingMarkersAreTold() {
        assertFalse(find(MARKED, "q", "A:").isMarked());
        assertTrue(find(MARKED, "A: ", "x").isMarked() && find(MARKED, "A: ", "x").isOpen());
        assertFalse(find(MARKED, "A: ", "x", "\n").isOpen());
        assertFalse(find(responses("A: "), "A: ", "x").isOpen());
    }
}
