// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;

/**
 * Where a document comes from.
 *
 * @param part     number of its {@link CorpusPart}; 0 if none is known
 * @param hasId    whether its id is the one that {@code corpus.id-field} names
 * @param isMarkup whether it is a web page or XML
 * @param isFile   whether it stands for a whole file that could not be read to its end
 */
public record Origin(long part, boolean hasId, boolean isMarkup, boolean isFile) implements Serializable {
    static final Origin UNKNOWN = new Origin(0, false, false, false);
}
