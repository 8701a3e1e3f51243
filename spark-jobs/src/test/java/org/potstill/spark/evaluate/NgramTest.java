// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.Test;
import org.potstill.spark.Distillery;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.student.LogitComparison.Logits;

class NgramTest {
    private static final int VOCAB = 12;

    /** Counts by looking through the documents again for every number. */
    private static final class Naive {
        private final List<TokenizedDocument> documents;

        Naive(List<TokenizedDocument> documents) {
            this.documents = documents;
        }

        /** @param history −1 for any */
        long count(int history, int token) {
            long count = 0;
            for (TokenizedDocument document : documents) {
                for (int[] tokens : document.sequences()) {
                    for (int t = 1; t < tokens.length; t++) {
                        count += (history < 0 || tokens[t - 1] == history) && (token < 0 || tokens[t] == token) ? 1 : 0;
                    }
                }
            }
            return count;
        }

        long distinct(int history) {
            return java.util.stream.IntStream.range(0, VOCAB).filter(w -> count(history, w) > 0).count();
        }

        double unigram(int token) {
            return (count(-1, token) + (double) distinct(-1) / VOCAB) / (count(-1, -1) + distinct(-1));
        }

        double bigram(int history, int token) {
            return distinct(history) == 0 ? unigram(token)
                    : (count(history, token) + distinct(history) * unigram(token)) / (count(history, -1) + distinct(history));
        }
    }

    /** Tokens 10 and 11 never come, and 9 comes only at an end. */
    private static List<TokenizedDocument> documents() {
        Random random = new Random(3);
        List<TokenizedDocument> documents = new ArrayList<>();
        for (int i = 0; i < 7; i++) {
            List<int[]> sequences = new ArrayList<>();
            for (int s = 0; s < 3; s++) {
                int[] tokens = random.ints(2 + random.nextInt(20), 0, 9).map(v -> v * v / 9).toArray();
                tokens[tokens.length - 1] = s == 2 ? 9 : tokens[tokens.length - 1];
                sequences.add(tokens);
            }
            documents.add(new TokenizedDocument("d" + i, null, false, sequences, null));
        }
        return documents;
    }

    private static NgramModel count(List<TokenizedDocument> documents, BitSet histories) {
        JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
        return NgramCounting.count(sc.parallelize(documents, 3), histories, VOCAB);
    }

    private static double[] probabilities(Logits logits, int position) {
        float[] row = new float[VOCAB + 4];
        logits.read(position, row);
        double[] p = new double[VOCAB];
        Arrays.setAll(p, v -> Math.exp(row[v]));
        double sum = Arrays.stream(p).sum();
        Arrays.setAll(p, v -> p[v] / sum);
        return p;
    }

    @Test
    void probabilitiesAreThoseOfWittenAndBell() {
        BitSet histories = new BitSet();
        histories.set(0, VOCAB);
        NgramModel model = count(documents(), histories);
        Naive naive = new Naive(documents());
        assertEquals(naive.count(-1, -1), model.tokens());
        int[] tokens = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0};
        for (int history = 0; history < VOCAB; history++) {
            double[] expected = new double[VOCAB];
            int h = history;
            Arrays.setAll(expected, w -> naive.bigram(h, w));
            assertEquals(1, Arrays.stream(expected).sum(), 1e-9);
            assertArrayEquals(expected, probabilities(model.bigram(tokens), history), 1e-6);
            Arrays.setAll(expected, naive::unigram);
            assertArrayEquals(expected, probabilities(model.unigram(), history), 1e-6);
        }
    }

    @Test
    void onlyRequestedHistoriesAreCounted() {
        BitSet histories = new BitSet();
        histories.set(1);
        assertEquals(java.util.Set.of(1), count(documents(), histories).successors().keySet());
    }

    @Test
    void withoutTrainingTextAllTokensAreEquallyProbable() {
        NgramModel model = NgramModel.of(new long[VOCAB], Map.of());
        assertEquals(1.0 / VOCAB, probabilities(model.bigram(new int[] {3, 4}), 0)[5], 1e-7);
    }
}
