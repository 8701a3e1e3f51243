// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.potstill.checkpoints.tokenizer.Chat;

/** Conversations in the form in which documents carry them: a JSON object with {@code messages} and, if there are any, {@code tools}. */
final class Conversation {
    private static final ObjectMapper JSON = new ObjectMapper(
            JsonFactory.builder().streamReadConstraints(JsonLinesReader.constraints(Integer.MAX_VALUE)).build());

    private Conversation() {
    }

    /**
     * Makes a document.
     *
     * @param tools null for none
     */
    static Document document(String id, List<ObjectNode> messages, ArrayNode tools, int maxBytes) {
        ObjectNode whole = JSON.createObjectNode();
        whole.putArray("messages").addAll(messages);
        if (tools != null) {
            whole.set("tools", tools);
        }
        String problem = problem(whole);
        if (problem != null) {
            return Document.unusable(id, problem);
        }
        String text = write(whole);
        long bytes = text.getBytes(StandardCharsets.UTF_8).length;
        return bytes > maxBytes ? Document.tooLong(id, bytes, maxBytes) : new Document(id, text, true, null);
    }

    /** Finds a text in it that is not one. */
    private static String problem(JsonNode node) {
        if (node.isTextual()) {
            return Document.of("", node.textValue()).problem();
        }
        String problem = null;
        for (JsonNode child : node) {
            problem = problem == null ? problem(child) : problem;
        }
        for (var names = node.fieldNames(); problem == null && names.hasNext();) {
            problem = Document.of("", names.next()).problem();
        }
        return problem;
    }

    /** Returns a conversation document's content in a form that does not depend on the order of members. */
    static String sorted(String text) {
        return write(sorted(read(text)));
    }

    private static Object sorted(JsonNode node) {
        if (node.isObject()) {
            Map<String, Object> members = new TreeMap<>();
            node.properties().forEach(member -> members.put(member.getKey(), sorted(member.getValue())));
            return members;
        }
        if (node.isArray()) {
            List<Object> items = new ArrayList<>();
            node.forEach(item -> items.add(sorted(item)));
            return items;
        }
        return node;
    }

    /** Returns the conversation of a document. */
    static Chat chat(String text) {
        JsonNode whole = read(text);
        List<Map<String, Object>> messages = new ArrayList<>();
        whole.path("messages").forEach(message -> messages.add(members(message)));
        return new Chat(messages, whole.has("tools") ? items(whole.get("tools")) : null);
    }

    private static Map<String, Object> members(JsonNode node) {
        Map<String, Object> members = new LinkedHashMap<>();
        node.properties().forEach(member -> members.put(member.getKey(), value(member.getValue())));
        return members;
    }

    private static List<Object> items(JsonNode node) {
        List<Object> items = new ArrayList<>();
        node.forEach(item -> items.add(value(item)));
        return items;
    }

    private static Object value(JsonNode node) {
        return switch (node.getNodeType()) {
            case OBJECT -> members(node);
            case ARRAY -> items(node);
            case STRING -> node.textValue();
            case BOOLEAN -> node.booleanValue();
            case NUMBER -> node.isIntegralNumber() ? (Object) node.longValue() : (Object) node.doubleValue();
            default -> null;
        };
    }

    private static JsonNode read(String text) {
        try {
            return JSON.readTree(text);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String write(Object value) {
        try {
            return JSON.writeValueAsString(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
