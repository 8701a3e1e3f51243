// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.cache.PartCount;
import org.potstill.spark.corpus.Origin;
import org.potstill.spark.corpus.Responses;
import org.potstill.spark.corpus.TokenizedDocument;
import scala.Tuple2;

/** Counts of documents by the part of the corpus that holds them. */
final class PartCounts {
    private PartCounts() {
    }

    /**
     * Counts documents, in one pass.
     *
     * @param responses what train will learn from
     * @param readsIds  whether the settings name a field with ids
     * @return counts by the part's number
     */
    static Map<Long, PartCount> of(JavaRDD<TokenizedDocument> documents, Responses responses, TokenizerDefinition tokenizer, boolean readsIds) {
        Function<TokenizedDocument, Boolean> hasResponse = responses.test(JavaSparkContext.fromSparkContext(documents.context()), tokenizer);
        return documents.mapToPair(document -> new Tuple2<>(document.origin().part(), of(document, hasResponse, readsIds))).reduceByKey(PartCount::plus).collectAsMap();
    }

    private static PartCount of(TokenizedDocument document, Function<TokenizedDocument, Boolean> hasResponse, boolean readsIds) throws Exception {
        Origin origin = document.origin();
        boolean isUsable = document.problem() == null;
        boolean isTraining = isUsable && !document.heldOut();
        boolean isLearnt = isTraining && !document.sequences().isEmpty();
        boolean isMarked = isLearnt && hasResponse.call(document);
        return new PartCount(1, one(!isUsable), one(document.heldOut()), isTraining ? document.sequences().size() : 0, isTraining ? document.positions() : 0,
                one(readsIds && isUsable && origin.hasId()), one(readsIds && isUsable && !origin.hasId()), one(origin.isMarkup()), one(document.parts() != null),
                one(isMarked), one(isLearnt && !isMarked), one(origin.isFile()));
    }

    private static long one(boolean is) {
        return is ? 1 : 0;
    }
}
