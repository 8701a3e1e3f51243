// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;

/**
 * The columns of a record that may hold a conversation, as {@code corpus.conversations} says.
 *
 * @param layouts the possibilities, in order; empty if no conversations are read
 * @param isNamed whether the user named the columns, so that every record must have them
 * @param members top-level members, and objects below them, that are a column or contain one
 */
record ConversationColumns(List<Layout> layouts, boolean isNamed, Set<String> members) implements Serializable {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String SYSTEM = "system";
    private static final String TOOLS = "tools";
    private static final String TOOL_CALLS = "tool_calls";
    static final ConversationColumns NONE = new ConversationColumns(List.of(), false);
    private static final ConversationColumns AUTO = new ConversationColumns(List.of(
            new Layout("messages", "", ""), new Layout("conversations", "", ""),
            new Layout("prompt", "completion", ""), new Layout("instruction", "output", "input")), false);

    /**
     * One possibility. Beside its columns there may be {@code tools} and {@code system}.
     *
     * @param first  column of the messages, or of the user's part; a name or nested names separated by dots
     * @param answer column of the assistant's part; empty if the first one has all
     * @param more   column with more of the user's part, for Alpaca's {@code input}; or empty
     */
    record Layout(String first, String answer, String more) implements Serializable {
        private String beside(String name) {
            return first.substring(0, first.lastIndexOf('.') + 1) + name;
        }

        List<String> columns() {
            return List.of(first, answer, more, beside(TOOLS), beside(SYSTEM)).stream().filter(name -> !name.isEmpty()).toList();
        }
    }

    /** Thrown for values that are no conversation. */
    private static final class NoConversation extends Exception {
        private static final long serialVersionUID = 1;

        NoConversation(String why) {
            super(why);
        }
    }

    private ConversationColumns(List<Layout> layouts, boolean isNamed) {
        this(layouts, isNamed, members(layouts));
    }

    private static Set<String> members(List<Layout> layouts) {
        Set<String> members = new HashSet<>();
        for (Layout layout : layouts) {
            for (String column : layout.columns()) {
                members.add(column);
                for (int dot = column.indexOf('.'); dot >= 0; dot = column.indexOf('.', dot + 1)) {
                    members.add(column.substring(0, dot));
                }
            }
        }
        return Set.copyOf(members);
    }

    /** @param setting {@code auto}, {@code none}, a column, or two with a comma between them: the user's and the assistant's part */
    static ConversationColumns of(String setting) {
        String[] names = setting.trim().split("\\s*,\\s*");
        return switch (setting.trim().toLowerCase(Locale.ROOT)) {
            case "auto" -> AUTO;
            case "none", "" -> NONE;
            default -> new ConversationColumns(List.of(new Layout(names[0], names.length > 1 ? names[1] : "", "")), true);
        };
    }

    /** Returns the columns that the user named. */
    String named() {
        return layouts.get(0).first + (layouts.get(0).answer.isEmpty() ? "" : ", " + layouts.get(0).answer);
    }

    /** Whether a record's top-level member may be, or contain, one of the columns. */
    boolean mayHold(String member) {
        return members.contains(member);
    }

    /**
     * Returns the columns of the conversations in a table; empty if it holds texts.
     *
     * @param names lists the table's columns
     * @throws Unreadable if it lacks columns that the user named
     */
    List<String> in(Predicate<String> exists, String textField, Supplier<String> names) throws Unreadable {
        if (!isNamed && exists.test(textField)) {
            return List.of();
        }
        List<String> columns = in(exists);
        if (isNamed && columns.isEmpty()) {
            throw new Unreadable("no column '" + named() + "': its columns are " + names.get());
        }
        return columns;
    }

    /** Returns the existing columns of the first layout that a table has; empty if it has none. */
    private List<String> in(Predicate<String> exists) {
        return layouts.stream().filter(layout -> exists.test(layout.first) && (layout.answer.isEmpty() || exists.test(layout.answer))).findFirst()
                .map(layout -> layout.columns().stream().filter(exists).toList()).orElse(List.of());
    }

    /**
     * Makes a document of a record's conversation.
     *
     * @param columns a column's value by its name; null, missing and null nodes if it has none
     * @param tree    built the values
     * @return empty if the record has none of the columns
     */
    Optional<Document> document(String id, Function<String, JsonNode> columns, JsonTree tree, int maxBytes) {
        for (Layout layout : layouts) {
            JsonNode answer = layout.answer.isEmpty() ? NODES.nullNode() : columns.apply(layout.answer);
            // An answer may be null, but not have another name.
            if (isPresent(columns.apply(layout.first)) && answer != null && !answer.isMissingNode()) {
                return Optional.of(document(id, layout, columns, tree, maxBytes));
            }
        }
        return Optional.empty();
    }

    private static boolean isPresent(JsonNode node) {
        return node != null && !node.isMissingNode() && !node.isNull();
    }

    private static Document document(String id, Layout layout, Function<String, JsonNode> columns, JsonTree tree, int maxBytes) {
        try {
            List<ObjectNode> messages = layout.answer.isEmpty() ? messages(layout.first, columns.apply(layout.first), tree)
                    : pair(layout, columns, tree);
            JsonNode system = columns.apply(layout.beside(SYSTEM));
            if (isPresent(system) && system.isTextual() && !system.textValue().isEmpty() && !messages.isEmpty()
                    && !SYSTEM.equals(messages.get(0).path("role").textValue())) {
                messages.add(0, message(SYSTEM, system));
            }
            ArrayNode tools = tools(columns.apply(layout.beside(TOOLS)), tree);
            if (tree.problem() != null) {
                return Document.unusable(id, "no conversation in '" + layout.first + "': " + tree.problem());
            }
            if (messages.isEmpty()) {
                return Document.unusable(id, "no conversation in '" + layout.first + "': it has no messages");
            }
            return Conversation.document(id, messages, tools, maxBytes);
        } catch (NoConversation e) {
            return Document.unusable(id, "no conversation in '" + layout.first + "': " + (tree.problem() == null ? e.getMessage() : tree.problem()));
        }
    }

    private static List<ObjectNode> pair(Layout layout, Function<String, JsonNode> columns, JsonTree tree) throws NoConversation {
        JsonNode asked = columns.apply(layout.first);
        JsonNode more = layout.more.isEmpty() ? null : columns.apply(layout.more);
        if (isPresent(more) && asked.isTextual() && more.isTextual() && !more.textValue().isBlank()) {
            asked = NODES.textNode(asked.textValue() + "\n" + more.textValue());
        }
        List<ObjectNode> messages = new ArrayList<>(part("user", layout.first, asked, tree));
        JsonNode answer = columns.apply(layout.answer);
        if (isPresent(answer)) {
            messages.addAll(part("assistant", layout.answer, answer, tree));
        }
        return messages;
    }

    private static List<ObjectNode> part(String role, String column, JsonNode value, JsonTree tree) throws NoConversation {
        return value.isTextual() ? List.of(message(role, value)) : messages(column, value, tree);
    }

    private static ObjectNode message(String role, JsonNode content) {
        return NODES.objectNode().put("role", role).set("content", content);
    }

    private static List<ObjectNode> messages(String column, JsonNode value, JsonTree tree) throws NoConversation {
        JsonNode list = list(value, tree);
        if (!list.isArray()) {
            throw new NoConversation("'" + column + "' is " + kind(list) + ", not a list of messages");
        }
        List<ObjectNode> messages = new ArrayList<>();
        for (JsonNode each : list) {
            try {
                messages.add(message(each, tree));
            } catch (NoConversation e) {
                throw new NoConversation("message " + (messages.size() + 1) + " " + e.getMessage());
            }
        }
        return messages;
    }

    /** Returns a list that is JSON in a text; otherwise the value. */
    private static JsonNode list(JsonNode value, JsonTree tree) {
        return value.isTextual() && value.textValue().stripLeading().startsWith("[") ? tree.parse(value.textValue()) : value;
    }

    private static ObjectNode message(JsonNode said, JsonTree tree) throws NoConversation {
        if (!said.isObject()) {
            throw new NoConversation("is " + kind(said) + ", not an object");
        }
        boolean isShared = !said.has("role") && said.has("from");
        JsonNode role = said.path(isShared ? "from" : "role");
        if (!role.isTextual() || role.textValue().isBlank()) {
            throw new NoConversation("has no role");
        }
        ObjectNode message = NODES.objectNode().put("role", isShared ? role(role.textValue()) : role.textValue());
        JsonNode content = said.path(isShared && !said.has("content") ? "value" : "content");
        if (isPresent(content)) {
            requireText(content);
            message.set("content", content);
        }
        Set<String> read = isShared ? Set.of("from", "content", "value") : Set.of("role", "content");
        said.properties().forEach(member -> {
            if (!read.contains(member.getKey()) && !member.getValue().isNull()) {
                message.set(member.getKey(), member.getKey().equals(TOOL_CALLS) ? list(member.getValue(), tree) : member.getValue());
            }
        });
        return isShared && role.textValue().equals("function_call") ? call(message) : message;
    }

    /** Converts the roles of ShareGPT and its descendants. */
    private static String role(String from) throws NoConversation {
        return switch (from) {
            case "human", "user" -> "user";
            case "gpt", "chatgpt", "bing", "bard", "assistant", "model", "function_call" -> "assistant";
            case "system" -> SYSTEM;
            case "tool", "observation" -> "tool";
            default -> throw new NoConversation("is from '" + from + "', which is not known");
        };
    }

    /** Converts a message whose text is the JSON of a tool call, if it is. */
    private static ObjectNode call(ObjectNode message) {
        JsonTree tree = new JsonTree();
        JsonNode call = tree.parse(message.path("content").asText());
        if (tree.problem() == null && call.path("name").isTextual()) {
            message.remove("content");
            message.putArray(TOOL_CALLS).addObject().put("type", "function").set("function", call);
        }
        return message;
    }

    private static void requireText(JsonNode content) throws NoConversation {
        if (content.isTextual()) {
            return;
        }
        if (!content.isArray()) {
            throw new NoConversation("has content that is " + kind(content) + ", not a text");
        }
        for (JsonNode part : content) {
            if (!part.path("text").isTextual() || !part.path("type").asText("text").equals("text")) {
                throw new NoConversation("has a part that is not text but " + (part.path("type").isTextual() ? "of type '" + part.get("type").textValue() + "'"
                        : kind(part)));
            }
        }
    }

    private static ArrayNode tools(JsonNode value, JsonTree tree) throws NoConversation {
        if (!isPresent(value) || value.isTextual() && value.textValue().isBlank()) {
            return null;
        }
        JsonNode list = value.isTextual() ? tree.parse(value.textValue()) : value;
        if (list.isNull()) {
            return null;
        }
        if (!list.isArray()) {
            throw new NoConversation("'" + TOOLS + "' is " + kind(list) + ", not a list");
        }
        return (ArrayNode) list;
    }

    private static String kind(JsonNode node) {
        return node.isMissingNode() ? "missing" : JsonRecord.kind(node.asToken());
    }
}
