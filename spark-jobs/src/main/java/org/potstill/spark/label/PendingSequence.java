// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.io.Serializable;

/**
 * A sequence that is not yet in the cache.
 *
 * @param document id of the first document, in the order of ids, that contains it
 * @param key      content key, see {@link org.potstill.softlabels.SequenceKey}
 * @param tokens   token ids
 */
record PendingSequence(String document, String key, int[] tokens) implements Serializable {
    int positions() {
        return tokens.length - 1;
    }

    static PendingSequence first(PendingSequence one, PendingSequence other) {
        return one.document.compareTo(other.document) <= 0 ? one : other;
    }
}
