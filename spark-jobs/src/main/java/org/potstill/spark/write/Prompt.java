// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import org.potstill.spark.storage.HadoopFolder;

/**
 * A conversation that the teacher continues, or the reason why it cannot.
 *
 * @param document id of its document
 * @param key      content key, see {@link AnswerKeys}; null if it cannot be used
 * @param messages up to the teacher's turn
 * @param tools    JSON of the tools that it may call; null for none
 * @param tokens   what the teacher reads
 * @param problem  why it cannot be used; null if it can
 */
record Prompt(String document, String key, List<Message> messages, String tools, int[] tokens, String problem) implements Serializable {
    /**
     * A turn of a conversation.
     *
     * @param content    null for none, beside tool calls
     * @param toolCalls  JSON of the tools that it calls; null for none, like the others
     * @param name       of the tool that answers
     * @param toolCallId the call that it answers
     */
    record Message(String role, String content, String toolCalls, String name, String toolCallId) implements Serializable {
        /** Members of a message that are kept, and shown to the template, in this order. */
        static final List<String> MEMBERS = List.of("role", "content", "tool_calls", "name", "tool_call_id");

        Message(String role, String content) {
            this(role, content, null, null, null);
        }

        /** Makes one of {@link #MEMBERS}, which are texts except for the tool calls. */
        static Message of(Map<String, Object> members) {
            return new Message((String) members.get("role"), (String) members.get("content"), json(members.get("tool_calls")),
                    (String) members.get("name"), (String) members.get("tool_call_id"));
        }
    }

    static Prompt unusable(String document, String problem) {
        return new Prompt(document, null, List.of(), null, new int[0], problem);
    }

    /** Returns a value as JSON; null for null. */
    static String json(Object value) {
        return value == null ? null : HadoopFolder.JSON.valueToTree(value).toString();
    }

    /** Of two prompts of one content, the one whose document comes first. */
    static Prompt first(Prompt one, Prompt other) {
        return one.document.compareTo(other.document) <= 0 ? one : other;
    }
}
