// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.corpus.LearnFrom;
import org.potstill.spark.corpus.TokenizedDocument;

/**
 * Selection of passages across documents: the first one of each document, then the second, and so on, in an order that depends
 * only on seed and content. Long documents thus do not crowd out others.
 */
final class PassageDraw {
    private PassageDraw() {
    }

    private record Ranked(String order, String document, int[] tokens, boolean[] counted) implements Serializable {
        int positions() {
            int positions = 0;
            for (int t = 0; t < tokens.length - 1; t++) {
                positions += counted == null || counted[t] ? 1 : 0;
            }
            return positions;
        }
    }

    private record Beginning(String order, String document, int[] tokens, boolean[] counted) implements Serializable, Comparable<Beginning> {
        @Override
        public int compareTo(Beginning other) {
            return order.compareTo(other.order);
        }
    }

    /**
     * Draws passages.
     *
     * @param from         what to score of conversations
     * @param maxPositions number of positions; the passage that reaches it is the last
     * @param text         number of the text that the passages belong to
     */
    static List<Passage> draw(JavaRDD<TokenizedDocument> documents, LearnFrom from, long seed, int maxPositions, int text) {
        JavaRDD<Ranked> ranked = documents.flatMap(document -> rank(document, from, seed).iterator()).filter(each -> each.positions() > 0);
        List<Passage> drawn = new ArrayList<>();
        long positions = 0;
        Iterator<Ranked> inOrder = ranked.sortBy(Ranked::order, true, ranked.getNumPartitions()).toLocalIterator();
        while (inOrder.hasNext() && positions < maxPositions) {
            Ranked next = inOrder.next();
            drawn.add(new Passage(text, next.document, next.tokens, next.counted));
            positions += next.positions();
        }
        return drawn;
    }

    private static List<Ranked> rank(TokenizedDocument document, LearnFrom from, long seed) {
        List<Ranked> shuffled = new ArrayList<>();
        for (int i = 0; i < document.sequences().size(); i++) {
            int[] tokens = document.sequences().get(i);
            boolean[] counted = document.parts() == null || from == LearnFrom.EVERYTHING ? null : from.mask(document.parts().get(i));
            shuffled.add(new Ranked(key(seed, tokens), document.id(), tokens, counted));
        }
        shuffled.sort(Comparator.comparing(Ranked::order));
        List<Ranked> ranked = new ArrayList<>();
        for (Ranked next : shuffled) {
            String order = String.format("%010d %s %s", ranked.size(), next.order, document.id());
            ranked.add(new Ranked(order, document.id(), next.tokens, next.counted));
        }
        return ranked;
    }

    private static String key(long seed, int[] tokens) {
        return Sha256.of(seed + "\n" + Arrays.toString(tokens));
    }

    /**
     * Draws the first passages of {@code count} documents in the same way; each has at least two tokens. Those of conversations are
     * masked up to their first response, if they contain its beginning.
     */
    static List<Passage> beginnings(JavaRDD<TokenizedDocument> documents, long seed, int count) {
        return documents.filter(document -> !document.sequences().isEmpty()).map(document -> {
            int[] first = document.sequences().get(0);
            boolean[] counted = document.parts() == null ? null : LearnFrom.RESPONSES.mask(document.parts().get(0));
            return new Beginning(key(seed, first) + " " + document.id(), document.id(), first, counted);
        }).takeOrdered(count).stream().map(drawn -> new Passage(0, drawn.document, drawn.tokens, drawn.counted)).toList();
    }
}
