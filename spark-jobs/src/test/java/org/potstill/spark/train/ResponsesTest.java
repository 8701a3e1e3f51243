package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class ResponsesTest {
    private static final Responses MARKED = new Responses(new int[] {1, 2}, new int[] {3});

    /** The tokens that are predicted: those behind each one of the sequence but its last. */
    private static String learnt(Responses responses, int... tokens) {
        StringBuilder learnt = new StringBuilder();
        boolean[] counted = responses.counted(tokens);
        for (int t = 0; t < counted.length; t++) {
            learnt.append(counted[t] ? tokens[t + 1] : 0);
        }
        return learnt.toString();
    }

    @Test
    void onlyWhatLiesBetweenTheMarksIsLearntAndTheMarkThatEndsIt() {
        assertEquals("000783000093", learnt(MARKED, 5, 6, 1, 2, 7, 8, 3, 5, 5, 1, 2, 9, 3).substring(0, 12));
        assertEquals(5, MARKED.count(new int[] {5, 6, 1, 2, 7, 8, 3, 5, 5, 1, 2, 9, 3}));
    }

    @Test
    void aResponseThatIsCutFromItsEndIsLearntAndOneCutFromItsBeginningIsNot() {
        assertEquals("0789", learnt(MARKED, 1, 2, 7, 8, 9));
        assertEquals("000006", learnt(MARKED, 7, 8, 3, 5, 1, 2, 6));
    }

    @Test
    void anEmptyResponseIsItsEndAlone() {
        assertEquals("030", learnt(MARKED, 1, 2, 3, 4));
    }

    @Test
    void withoutAnEndAResponseIsTheRestOfItsSequence() {
        assertEquals("0734", learnt(new Responses(new int[] {1, 2}, new int[0]), 1, 2, 7, 3, 4));
    }

    @Test
    void withoutMarksEverythingIsLearnt() {
        Responses everything = new Responses(new int[0], new int[0]);
        assertEquals(4, everything.count(new int[] {1, 2, 7, 3, 4}));
        assertArrayEquals(new boolean[] {false, true}, MARKED.counted(new int[] {1, 2, 3}));
    }
}
