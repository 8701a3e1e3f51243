package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * What could not be used of the corpus, and why.
 *
 * @param document id of the document
 * @param sequence its sequence's number, from 0; null for the whole document
 * @param key      of that sequence; null for the whole document
 * @param problem  the reason
 */
public record Quarantined(String document, Integer sequence, String key, String problem) implements Serializable {
}
