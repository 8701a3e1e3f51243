// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.List;

/**
 * A conversation that the teacher continues, or the reason why it cannot.
 *
 * @param document id of its document
 * @param key      content key, see {@link AnswerKeys}; null if it cannot be used
 * @param messages up to the teacher's turn
 * @param tokens   what the teacher reads
 * @param problem  why it cannot be used; null if it can
 */
record Prompt(String document, String key, List<Message> messages, int[] tokens, String problem) implements Serializable {
    /** A turn of a conversation. */
    record Message(String role, String content) implements Serializable {
    }

    static Prompt unusable(String document, String problem) {
        return new Prompt(document, null, List.of(), new int[0], problem);
    }

    /** Of two prompts of one content, the one whose document comes first. */
    static Prompt first(Prompt one, Prompt other) {
        return one.document.compareTo(other.document) <= 0 ? one : other;
    }
}
