// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.potstill.spark.Distillery;
import org.potstill.spark.corpus.LearnFrom;
import org.potstill.spark.corpus.TokenizedDocument;

class PassageDrawTest {
    /** One document of 50 passages, and nine of two; each passage has ten positions. */
    private static List<TokenizedDocument> documents() {
        List<TokenizedDocument> documents = new ArrayList<>();
        for (int d = 0; d < 10; d++) {
            List<int[]> passages = new ArrayList<>();
            for (int s = 0; s < (d == 0 ? 50 : 2); s++) {
                int[] tokens = new int[11];
                tokens[0] = d;
                tokens[1] = s;
                passages.add(tokens);
            }
            documents.add(new TokenizedDocument("d" + d, null, true, passages, null));
        }
        return documents;
    }

    private static JavaRDD<TokenizedDocument> spread(List<TokenizedDocument> documents, int partitions) {
        return new JavaSparkContext(Distillery.spark().sparkContext()).parallelize(documents, partitions);
    }

    private static List<String> names(List<Passage> passages) {
        return passages.stream().map(passage -> passage.document() + ":" + passage.tokens()[1]).toList();
    }

    @Test
    void everyDocumentHasATurnBeforeAnyHasASecond() {
        List<Passage> drawn = PassageDraw.draw(spread(documents(), 3), LearnFrom.EVERYTHING, 1, 100, 0);
        assertEquals(10, drawn.size());
        Set<String> documents = new HashSet<>();
        drawn.forEach(passage -> documents.add(passage.document()));
        assertEquals(10, documents.size());
        assertEquals(11, PassageDraw.draw(spread(documents(), 3), LearnFrom.EVERYTHING, 1, 101, 0).size(), "up to the limit and no passage further");
    }

    @Test
    void withRoomForAllEveryPassageIsDrawnOnce() {
        List<String> drawn = names(PassageDraw.draw(spread(documents(), 4), LearnFrom.EVERYTHING, 1, 1 << 20, 0));
        assertEquals(68, drawn.size());
        assertEquals(68, new HashSet<>(drawn).size());
    }

    @Test
    void theDrawDependsOnSeedAndContentAlone() {
        List<TokenizedDocument> shuffled = new ArrayList<>(documents());
        Collections.reverse(shuffled);
        List<String> drawn = names(PassageDraw.draw(spread(documents(), 3), LearnFrom.EVERYTHING, 1, 150, 0));
        assertEquals(drawn, names(PassageDraw.draw(spread(shuffled, 2), LearnFrom.EVERYTHING, 1, 150, 0)));
        assertNotEquals(drawn, names(PassageDraw.draw(spread(documents(), 3), LearnFrom.EVERYTHING, 2, 150, 0)));
    }

    @Test
    void beginningsAreFirstPassagesOfDifferentDocuments() {
        List<Passage> beginnings = PassageDraw.beginnings(spread(documents(), 3), 1, 4);
        assertEquals(4, beginnings.stream().map(Passage::document).distinct().count());
        beginnings.forEach(passage -> assertEquals(0, passage.tokens()[1]));
        assertTrue(PassageDraw.beginnings(spread(documents(), 3), 1, 0).isEmpty());
        assertArrayEquals(beginnings.get(0).tokens(), PassageDraw.beginnings(spread(documents(), 1), 1, 1).get(0).tokens());
    }
}
