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
 */
public record SnapshotEntry(String document, int sequence, String key, ResponseRuns responses) implements Serializable {
}
