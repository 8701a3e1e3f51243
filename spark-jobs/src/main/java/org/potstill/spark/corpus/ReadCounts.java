// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import org.apache.spark.SparkContext;
import org.apache.spark.util.LongAccumulator;
import org.potstill.checkpoints.io.FileSignature;

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

    /** @param hasId whether its id is the one that corpus.id-field names */
    void add(Document document, boolean hasId, Reading reading) {
        problems.add(document);
        if (document.text() != null && FileSignature.isMarkup(document.text())) {
            webPages.add(1);
        }
        if (!reading.idField().isEmpty() && document.problem() == null) {
            (hasId ? withId : withoutId).add(1);
        }
    }
}
