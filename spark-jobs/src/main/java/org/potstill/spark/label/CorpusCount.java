// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.io.Serializable;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.spark.cache.PartCount;
import org.potstill.spark.corpus.TokenizedDocument;

/**
 * Counts of the documents, sequences and positions of a corpus.
 *
 * @param documents all documents
 * @param unusable  documents in the quarantine
 * @param heldOut   documents held out for evaluation
 * @param sequences sequences to learn from
 * @param positions next-token predictions to learn from
 * @param unscored  sequences in the quarantine whose documents are not
 */
public record CorpusCount(long documents, long unusable, long heldOut, long sequences, long positions, long unscored)
        implements Serializable {
    static CorpusCount of(JavaRDD<TokenizedDocument> documents, UnscoredSequences unscored) {
        return documents.map(d -> d.heldOut() ? new CorpusCount(1, 0, 1, 0, 0, 0) : ofTraining(d, unscored))
                .fold(new CorpusCount(0, 0, 0, 0, 0, 0), CorpusCount::plus);
    }

    static CorpusCount of(PartCount count) {
        return new CorpusCount(count.documents(), count.unusable(), count.heldOut(), count.sequences(), count.positions(), 0);
    }

    private static CorpusCount ofTraining(TokenizedDocument document, UnscoredSequences unscored) {
        long left = 0;
        long positions = 0;
        for (int[] tokens : document.sequences()) {
            if (!unscored.contains(tokens)) {
                left++;
                positions += tokens.length - 1;
            }
        }
        return new CorpusCount(1, document.problem() == null ? 0 : 1, 0, left, positions, document.sequences().size() - left);
    }

    CorpusCount plus(CorpusCount other) {
        return new CorpusCount(documents + other.documents, unusable + other.unusable, heldOut + other.heldOut,
                sequences + other.sequences, positions + other.positions, unscored + other.unscored);
    }
}
