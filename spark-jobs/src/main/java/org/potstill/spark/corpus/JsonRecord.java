// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.util.Locale;
import java.util.Optional;
import java.util.StringJoiner;

/** A parser of one JSON object into a document, which keeps only the requested fields in memory. */
final class JsonRecord {
    private static final int NAMES = 12;

    private final StringJoiner names = new StringJoiner(", ");
    private int count;
    private final Field text;
    private final Field id;
    private final ConversationColumns conversations;
    private final JsonTree tree = new JsonTree();
    private final ObjectNode said = JsonNodeFactory.instance.objectNode();

    /** A requested field and its best match: a name that contains dots takes precedence over nested names. */
    private static final class Field {
        private final String path;
        private int rank = -1;
        private JsonToken token;
        private String value;

        Field(String path) {
            this.path = path;
        }

        void offer(int remaining, JsonParser parser) throws IOException {
            if (remaining >= rank) {
                rank = remaining;
                token = parser.currentToken();
                value = switch (token) {
                    case VALUE_STRING, VALUE_NUMBER_INT, VALUE_TRUE, VALUE_FALSE -> parser.getText();
                    case VALUE_NUMBER_FLOAT -> String.valueOf(parser.getDoubleValue());
                    default -> null;
                };
            }
        }

        /** Offers a value in the columns that were read as trees. */
        void offer(ObjectNode said) {
            JsonNode found = token == null && !path.isEmpty() ? JsonTree.find(said, path) : MissingNode.getInstance();
            if (!found.isMissingNode()) {
                token = found.asToken();
                value = found.isValueNode() && !found.isNull() ? found.asText() : null;
            }
        }
    }

    private JsonRecord(Reading reading) {
        text = new Field(reading.conversations().isNamed() ? "" : reading.textField());
        id = new Field(reading.idField());
        conversations = reading.conversations();
    }

    /**
     * Reads the object that the parser has just entered, to its end.
     *
     * @param place the document's id if the object has none
     */
    static Document read(JsonParser parser, String place, Reading reading) throws IOException {
        JsonRecord record = new JsonRecord(reading);
        record.object(parser, record.text.path.isEmpty() ? null : record.text.path, record.id.path.isEmpty() ? null : record.id.path, true);
        record.text.offer(record.said);
        record.id.offer(record.said);
        String name = record.id.value == null ? place : record.id.value;
        if (record.text.token == JsonToken.VALUE_STRING) {
            return Document.of(name, record.text.value);
        }
        return Optional.of(record.text).filter(text -> text.token == null || text.token == JsonToken.VALUE_NULL)
                .flatMap(none -> record.conversations.document(name, path -> JsonTree.find(record.said, path), record.tree, reading.maxBytes()))
                .orElseGet(() -> Document.unusable(name, record.problem()));
    }

    /** @param textPath the rest of the path to the text, null if this object is not on it; likewise {@code idPath} */
    private void object(JsonParser parser, String textPath, String idPath, boolean top) throws IOException {
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String name = parser.currentName();
            JsonToken value = parser.nextToken();
            if (top && count++ < NAMES) {
                names.add(name.length() > 40 ? name.substring(0, 40) + "…" : name);
            }
            if (name.equals(textPath)) {
                text.offer(textPath.length(), parser);
            }
            if (name.equals(idPath)) {
                id.offer(idPath.length(), parser);
            }
            String inText = within(textPath, name);
            String inId = within(idPath, name);
            if (top && !name.equals(textPath) && !name.equals(idPath) && conversations.mayHold(name)) {
                said.set(name, tree.read(parser));
            } else if (value == JsonToken.START_OBJECT && (inText != null || inId != null)) {
                object(parser, inText, inId, false);
            } else {
                parser.skipChildren();
            }
        }
    }

    private static String within(String path, String name) {
        return path != null && path.length() > name.length() + 1 && path.startsWith(name) && path.charAt(name.length()) == '.'
                ? path.substring(name.length() + 1) : null;
    }

    private String problem() {
        if (text.token != null) {
            return "no text in the field '" + text.path + "': it is " + kind(text.token);
        }
        return (conversations.isNamed() ? "no conversation in the field '" + conversations.layouts().get(0).first() : "no text in the field '" + text.path) + "': " + (count == 0 ? "the object is empty"
                : "the object's fields are " + names + (count > NAMES ? " and " + (count - NAMES) + " more" : ""));
    }

    /** Names the type of a value. */
    static String kind(JsonToken token) {
        return switch (token) {
            case START_ARRAY -> "a list";
            case START_OBJECT -> "an object";
            case VALUE_STRING -> "a text";
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> "a number";
            default -> token.asString() == null ? token.name().toLowerCase(Locale.ROOT) : token.asString();
        };
    }
}
