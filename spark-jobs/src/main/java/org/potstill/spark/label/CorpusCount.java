package org.potstill.spark.label;

import java.io.Serializable;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.spark.corpus.TokenizedDocument;

/**
 * What the corpus consists of.
 *
 * @param documents all of them
 * @param unusable  those in the quarantine
 * @param heldOut   those kept for evaluation
 * @param sequences to learn from
 * @param positions next-token predictions to learn from
 */
public record CorpusCount(long documents, long unusable, long heldOut, long sequences, long positions) implements Serializable {
    static CorpusCount of(JavaRDD<TokenizedDocument> documents) {
        return documents.map(d -> d.heldOut() ? new CorpusCount(1, 0, 1, 0, 0)
                : new CorpusCount(1, d.problem() == null ? 0 : 1, 0, d.sequences().size(), d.positions()))
                .fold(new CorpusCount(0, 0, 0, 0, 0), CorpusCount::plus);
    }

    private CorpusCount plus(CorpusCount other) {
        return new CorpusCount(documents + other.documents, unusable + other.unusable, heldOut + other.heldOut,
                sequences + other.sequences, positions + other.positions);
    }
}
