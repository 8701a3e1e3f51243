// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A conversation as chat templates see it. Values are strings, {@link Long}, {@link Double}, {@link Boolean}, lists, maps and null.
 *
 * @param messages members of each message, in order: {@code role}, {@code content} and others, such as {@code tool_calls}
 * @param tools    JSON schemas of the tools that the model can call; null for none
 */
public record Chat(List<Map<String, Object>> messages, List<Object> tools) {
    private static final String ASSISTANT = "assistant";
    private static final List<String> REASONING = List.of("reasoning_content", "thinking", "reasoning");

    static Chat of(List<ChatMessage> messages) {
        List<Map<String, Object>> all = new ArrayList<>();
        for (ChatMessage message : messages) {
            Map<String, Object> members = new LinkedHashMap<>();
            members.put("role", message.role());
            members.put("content", message.content());
            all.add(members);
        }
        return new Chat(all, null);
    }

    Chat first(int count) {
        return new Chat(messages.subList(0, count), tools);
    }

    boolean isAssistant(int message) {
        return ASSISTANT.equals(messages.get(message).get("role"));
    }

    /** Returns the number of the last message of the assistant, or −1. */
    int lastAssistant() {
        int last = messages.size() - 1;
        while (last >= 0 && !isAssistant(last)) {
            last--;
        }
        return last;
    }

    /** Returns the conversation with another text as the content of a message, in the form that it has there. */
    Chat withContent(int message, String text) {
        Map<String, Object> members = new LinkedHashMap<>(messages.get(message));
        members.computeIfPresent("content", (name, before) -> before instanceof List ? List.of(part(text)) : text);
        List<Map<String, Object>> all = new ArrayList<>(messages);
        all.set(message, members);
        return new Chat(all, tools);
    }

    private static Map<String, Object> part(String text) {
        Map<String, Object> part = new LinkedHashMap<>();
        part.put("type", "text");
        part.put("text", text);
        return part;
    }

    /** Returns the messages as transformers hands them to a template: without members that are null, reasoning under both of its names. */
    List<Map<String, Object>> forTemplate() {
        List<Map<String, Object>> all = new ArrayList<>();
        for (Map<String, Object> message : messages) {
            Object reasoning = REASONING.stream().map(message::get).filter(Objects::nonNull).findFirst().orElse(null);
            Map<String, Object> members = new LinkedHashMap<>();
            if (reasoning != null) {
                members.put("thinking", reasoning);
            }
            message.forEach((name, value) -> {
                if (value != null) {
                    members.put(name, value);
                }
            });
            if (reasoning != null) {
                members.put("reasoning_content", reasoning);
            }
            all.add(members);
        }
        return all;
    }
}
