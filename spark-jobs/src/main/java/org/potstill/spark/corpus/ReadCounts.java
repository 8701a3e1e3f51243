// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.util.LongAccumulator;

/**
 * What tasks count while they read documents. A task that is retried counts twice.
 *
 * @param problems  reasons why documents cannot be used
 * @param bytes     bytes of files read
 * @param withId    documents with the id that the user's settings name
 * @param withoutId documents without it
 * @param webPages  documents that are web pages or XML
 */
record ReadCounts(Problems problems, LongAccumulator bytes, LongAccumulator withId, LongAccumulator withoutId, LongAccumulator webPages)
        implements Serializable {
    static ReadCounts register(SparkContext sc) {
        Problems problems = new Problems();
        sc.register(problems);
        return new ReadCounts(problems, sc.longAccumulator(), sc.longAccumulator(), sc.longAccumulator(), sc.longAccumulator());
    }

    /** Adds a document. */
    void add(Document document, Reading reading) {
        problems.add(document);
        if (document.origin().isMarkup()) {
            webPages.add(1);
        }
        if (!reading.idField().isEmpty() && document.problem() == null) {
            (document.origin().hasId() ? withId : withoutId).add(1);
        }
    }
}
