// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * A document or sequence of the corpus that could not be used, with the reason.
 *
 * @param document id of the document
 * @param sequence zero-based number of the sequence; null for the whole document
 * @param key      key of the sequence; null for the whole document
 * @param problem  the reason
 */
public record Quarantined(String document, Integer sequence, String key, String problem) implements Serializable {
}
