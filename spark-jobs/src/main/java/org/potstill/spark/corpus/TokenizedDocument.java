// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.util.List;

/**
 * A document as the models see it.
 *
 * @param id        of the document
 * @param problem   why it cannot be used; null when it can
 * @param heldOut   whether it is kept for evaluation
 * @param sequences token ids; each sequence begins with the last token of the one before, so that every token but the
 *                  document's first is predicted exactly once
 */
public record TokenizedDocument(String id, String problem, boolean heldOut, List<int[]> sequences)
        implements Serializable {
    /** Next-token predictions in the document. */
    public long positions() {
        return sequences.stream().mapToLong(s -> s.length - 1L).sum();
    }
}
