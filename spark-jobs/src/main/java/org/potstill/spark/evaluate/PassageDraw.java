// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.corpus.TokenizedDocument;

/**
 * Selection of passages across documents: the first one of each document, then the second, and so on, in an order that depends
 * only on seed and content. Long documents thus do not crowd out others.
 */
final class PassageDraw {
    private PassageDraw() {
    }

    private record Ranked(String order, String document, int[] tokens) implements Serializable {
    }

    private record Beginning(String order, String document, int[] tokens) implements Serializable, Comparable<Beginning> {
        @Override
        public int compareTo(Beginning other) {
            return order.compareTo(other.order);
        }
    }

    /**
     * Draws passages.
     *
     * @param maxPositions number of positions; the passage that reaches it is the last
     * @param text         number of the text that the passages belong to
     */
    static List<Passage> draw(JavaRDD<TokenizedDocument> documents, long seed, int maxPositions, int text) {
        JavaRDD<Ranked> ranked = documents.flatMap(document -> rank(document, seed).iterator());
        List<Passage> drawn = new ArrayList<>();
        long positions = 0;
        Iterator<Ranked> inOrder = ranked.sortBy(Ranked::order, true, ranked.getNumPartitions()).toLocalIterator();
        while (inOrder.hasNext() && positions < maxPositions) {
            Ranked next = inOrder.next();
            drawn.add(new Passage(text, next.document, next.tokens));
            positions += next.tokens.length - 1;
        }
        return drawn;
    }

    private static List<Ranked> rank(TokenizedDocument document, long seed) {
        List<int[]> shuffled = new ArrayList<>(document.sequences());
        shuffled.sort(Comparator.comparing(tokens -> key(seed, tokens)));
        List<Ranked> ranked = new ArrayList<>();
        for (int rank = 0; rank < shuffled.size(); rank++) {
            String order = String.format(Locale.ROOT, "%010d %s %s", rank, key(seed, shuffled.get(rank)), document.id());
            ranked.add(new Ranked(order, document.id(), shuffled.get(rank)));
        }
        return ranked;
    }

    private static String key(long seed, int[] tokens) {
        return Sha256.of(seed + "\n" + Arrays.toString(tokens));
    }

    /** Draws the first passages of {@code count} documents in the same way; each has at least two tokens. */
    static List<Passage> beginnings(JavaRDD<TokenizedDocument> documents, long seed, int count) {
        return documents.filter(document -> !document.sequences().isEmpty()).map(document -> {
            int[] first = document.sequences().get(0);
            return new Beginning(key(seed, first) + " " + document.id(), document.id(), first);
        }).takeOrdered(count).stream().map(drawn -> new Passage(0, drawn.document, drawn.tokens)).toList();
    }
}
