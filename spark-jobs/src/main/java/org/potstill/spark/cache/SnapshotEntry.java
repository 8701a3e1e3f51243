package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * A sequence's place in the corpus.
 *
 * @param document id of the document
 * @param sequence its number in the document, from 0
 * @param key      of the labelled sequence
 */
public record SnapshotEntry(String document, int sequence, String key) implements Serializable {
}
