// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * A sequence's place in the corpus.
 *
 * @param document id of the document
 * @param sequence zero-based number of the sequence in the document
 * @param key      key of the labelled sequence
 * @param responses where the assistant speaks; null if the document is not a conversation
 * @param part      number of the part of the corpus that holds the document; 0 if it is not known
 */
public record SnapshotEntry(String document, int sequence, String key, ResponseRuns responses, long part) implements Serializable {
    /** Makes the place of a sequence in an unknown part of the corpus. */
    public SnapshotEntry(String document, int sequence, String key, ResponseRuns responses) {
        this(document, sequence, key, responses, 0);
    }
}
