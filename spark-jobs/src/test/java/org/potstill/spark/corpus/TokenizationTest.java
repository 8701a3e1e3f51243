package org.potstill.spark.corpus;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class TokenizationTest {
    @Test
    void everyTokenButTheFirstIsPredictedExactlyOnce() {
        for (int length = 0; length < 40; length++) {
            int[] ids = IntStream.range(0, length).map(i -> 100 + i).toArray();
            List<Integer> predicted = new ArrayList<>();
            for (int[] sequence : new Tokenization(8, 0, 0, false).cut(ids, -1)) {
                assertTrue(sequence.length >= 2 && sequence.length <= 9);
                for (int t = 1; t < sequence.length; t++) {
                    predicted.add(sequence[t]);
                }
            }
            assertEquals(IntStream.range(1, length).mapToObj(i -> 100 + i).toList(), predicted);
        }
    }

    @Test
    void aBeginningTokenComesBeforeTheDocumentOnly() {
        List<int[]> sequences = new Tokenization(2, 0, 0, false).cut(new int[] {5, 6, 7}, 1);
        assertEquals(2, sequences.size());
        assertArrayEquals(new int[] {1, 5, 6}, sequences.get(0));
        assertArrayEquals(new int[] {6, 7}, sequences.get(1));
    }

    @Test
    void theHeldOutShareIsDrawnByContentAndSeed() {
        Tokenization tokenization = new Tokenization(8, 0.2, 1, false);
        List<Boolean> draws = IntStream.range(0, 5000).mapToObj(i -> tokenization.heldOut("document " + i)).toList();
        double share = draws.stream().filter(d -> d).count() / 5000.0;
        assertEquals(0.2, share, 0.02);
        assertEquals(draws, IntStream.range(0, 5000).mapToObj(i -> tokenization.heldOut("document " + i)).toList());
        Tokenization other = new Tokenization(8, 0.2, 2, false);
        assertTrue(!draws.equals(IntStream.range(0, 5000).mapToObj(i -> other.heldOut("document " + i)).toList()));
        assertTrue(IntStream.range(0, 100).noneMatch(i -> new Tokenization(8, 0, 1, false).heldOut("document " + i)));
    }
}
