// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.Serializable;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.spark.corpus.TokenizedDocument;
import scala.Tuple2;

/**
 * Ids that several usable documents have. Finding them shuffles the ids, and nothing else.
 *
 * @param ids       number of them
 * @param documents number of documents that have one of them
 * @param example   the first one, in the order of ids
 */
record SharedIds(long ids, long documents, String example) implements Serializable {
    static Optional<SharedIds> of(JavaRDD<TokenizedDocument> documents) {
        return ofIds(ids(documents));
    }

    /** Returns the ids of the usable documents. */
    static JavaRDD<String> ids(JavaRDD<TokenizedDocument> documents) {
        return documents.filter(document -> document.problem() == null).map(TokenizedDocument::id);
    }

    static Optional<SharedIds> ofIds(JavaRDD<String> all) {
        SharedIds shared = all.mapToPair(id -> new Tuple2<>(id, 1L)).reduceByKey(Long::sum).filter(id -> id._2() > 1).map(id -> new SharedIds(1, id._2(), id._1()))
                .fold(new SharedIds(0, 0, null), SharedIds::plus);
        return shared.ids == 0 ? Optional.empty() : Optional.of(shared);
    }

    /** Returns those that an earlier run found; null if it found none. */
    static SharedIds of(JsonNode earlier) {
        return earlier.isObject() ? new SharedIds(earlier.path("ids").asLong(), earlier.path("documents").asLong(), earlier.path("example").asText()) : null;
    }

    private SharedIds plus(SharedIds other) {
        boolean first = other.example == null || example != null && example.compareTo(other.example) <= 0;
        return new SharedIds(ids + other.ids, documents + other.documents, first ? example : other.example);
    }

    @Override
    public String toString() {
        return documents + " documents share " + ids + (ids == 1 ? " id" : " ids") + " (such as '" + example
                + "'): all are learned from, but cache inspect shows only one of each; corpus.id-field should name an id that is unique";
    }
}
