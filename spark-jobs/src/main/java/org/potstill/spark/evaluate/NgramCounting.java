// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.spark.corpus.TokenizedDocument;
import scala.Tuple2;

/** Counting of tokens, and of token pairs with selected histories, in the training documents. */
final class NgramCounting {
    /** Marker in place of the history for unigram counts. */
    private static final int NONE = -1;

    private NgramCounting() {
    }

    /**
     * Counts unigrams and bigrams.
     *
     * @param histories tokens whose successors are counted
     * @param vocabSize number of ids that both models have; ids from this on are not counted
     */
    static NgramModel count(JavaRDD<TokenizedDocument> training, BitSet histories, int vocabSize) {
        Broadcast<BitSet> wanted = JavaSparkContext.fromSparkContext(training.context()).broadcast(histories);
        List<Tuple2<Integer, NgramModel.Counts>> counted = training
                .flatMapToPair(document -> pairs(document, wanted.value(), vocabSize))
                .reduceByKey(Long::sum)
                .mapToPair(pair -> new Tuple2<>((int) (pair._1() >> 32), new Tuple2<>(pair._1().intValue(), pair._2())))
                .groupByKey()
                .mapValues(NgramCounting::counts)
                .collect();
        long[] unigrams = new long[vocabSize];
        Map<Integer, NgramModel.Counts> bigrams = new HashMap<>();
        for (Tuple2<Integer, NgramModel.Counts> history : counted) {
            NgramModel.Counts counts = history._2();
            if (history._1() != NONE) {
                bigrams.put(history._1(), counts);
            } else {
                for (int i = 0; i < counts.ids().length; i++) {
                    unigrams[counts.ids()[i]] = counts.counts()[i];
                }
            }
        }
        return NgramModel.of(unigrams, bigrams);
    }

    /** Counts pairs. Each sequence begins with the last token of the previous one, so every pair occurs in exactly one. */
    private static Iterator<Tuple2<Long, Long>> pairs(TokenizedDocument document, BitSet histories, int vocabSize) {
        Map<Long, Long> counts = new HashMap<>();
        for (int[] tokens : document.sequences()) {
            for (int t = 1; t < tokens.length; t++) {
                if (tokens[t] >= vocabSize) {
                    continue;
                }
                counts.merge(key(NONE, tokens[t]), 1L, Long::sum);
                if (histories.get(tokens[t - 1])) {
                    counts.merge(key(tokens[t - 1], tokens[t]), 1L, Long::sum);
                }
            }
        }
        return counts.entrySet().stream().map(entry -> new Tuple2<>(entry.getKey(), entry.getValue())).iterator();
    }

    private static long key(int history, int token) {
        return (long) history << 32 | token;
    }

    private static NgramModel.Counts counts(Iterable<Tuple2<Integer, Long>> successors) {
        List<Tuple2<Integer, Long>> sorted = new ArrayList<>();
        successors.forEach(sorted::add);
        sorted.sort((a, b) -> Integer.compare(a._1(), b._1()));
        return new NgramModel.Counts(sorted.stream().mapToInt(Tuple2::_1).toArray(), sorted.stream().mapToLong(Tuple2::_2).toArray());
    }
}
