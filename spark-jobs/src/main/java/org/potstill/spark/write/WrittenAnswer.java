// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.Comparator;
import java.util.List;

/**
 * An answer in the store.
 *
 * @param id       content key of the answer
 * @param prompt   content key of the prompt
 * @param document id of the prompt's document when it was written
 * @param answer   number of the answer, from 0
 * @param finish   {@code stop}, {@code length} or {@code empty}
 * @param messages the conversation, the answer last
 * @param tools    JSON of the tools that the answer may call; null for none
 * @param tokens   ids of the answer's tokens, without the one that ended it
 */
record WrittenAnswer(String id, String prompt, String document, int answer, String finish, List<Prompt.Message> messages, String tools,
        int[] tokens) implements Serializable {
    static final String STOP = "stop";
    static final String LENGTH = "length";
    static final String EMPTY = "empty";

    /** Returns a copy for another document with the same prompt. */
    WrittenAnswer of(String other) {
        return new WrittenAnswer(id, prompt, other, answer, finish, messages, tools, tokens);
    }

    WriteSummary.Sample sample() {
        return new WriteSummary.Sample(messages.get(messages.size() - 2).content(), messages.get(messages.size() - 1).content(), finish);
    }

    /** The order of ids, which is that of no property of the answers. */
    static final class ById implements Comparator<WrittenAnswer>, Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public int compare(WrittenAnswer one, WrittenAnswer other) {
            return one.id.compareTo(other.id);
        }
    }
}
