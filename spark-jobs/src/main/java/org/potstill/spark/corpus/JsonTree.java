// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;

/** A builder of trees of bounded depth and size: of the values of one record. */
final class JsonTree {
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final JsonFactory JSON = JsonFactory.builder().disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .streamReadConstraints(JsonLinesReader.constraints(Integer.MAX_VALUE)).build();
    private static final int MAX_DEPTH = 64;
    private static final int MAX_VALUES = 1 << 19;
    /** Longer integers do not fit into 64 bits. */
    private static final int MAX_DIGITS = 20;

    private int values;
    private String problem;

    /** Returns why the record's trees are incomplete; null if they are not. */
    String problem() {
        return problem;
    }

    void fail(String why) {
        problem = why;
    }

    /** Counts a value. */
    void count(int depth) {
        values++;
        if (depth > MAX_DEPTH) {
            problem = "it is nested deeper than " + MAX_DEPTH + " levels";
        } else if (values > MAX_VALUES) {
            problem = "it has more than " + MAX_VALUES + " values";
        }
    }

    /** Reads the value at the parser's current token, to its end. */
    JsonNode read(JsonParser parser) throws IOException {
        return read(parser, 0);
    }

    /** Reads a text that is JSON. */
    JsonNode parse(String text) {
        try (JsonParser parser = JSON.createParser(text)) {
            JsonNode value = parser.nextToken() == null ? NODES.missingNode() : read(parser);
            if (parser.nextToken() != null) {
                problem = "it has text after its JSON";
            }
            return value;
        } catch (JsonProcessingException e) {
            problem = JsonLinesReader.problem(e);
        } catch (IOException e) {
            problem = String.valueOf(e.getMessage());
        }
        return NODES.missingNode();
    }

    private JsonNode read(JsonParser parser, int depth) throws IOException {
        count(depth);
        if (problem != null) {
            parser.skipChildren();
            return NODES.missingNode();
        }
        switch (parser.currentToken()) {
            case START_OBJECT:
                ObjectNode members = NODES.objectNode();
                while (parser.nextToken() == JsonToken.FIELD_NAME) {
                    String name = parser.currentName();
                    parser.nextToken();
                    members.set(name, read(parser, depth + 1));
                }
                return members;
            case START_ARRAY:
                ArrayNode items = NODES.arrayNode();
                while (parser.nextToken() != JsonToken.END_ARRAY) {
                    items.add(read(parser, depth + 1));
                }
                return items;
            case VALUE_STRING:
                return NODES.textNode(parser.getText());
            case VALUE_NUMBER_INT:
                if (parser.getTextLength() <= MAX_DIGITS && parser.getNumberType() != JsonParser.NumberType.BIG_INTEGER) {
                    return NODES.numberNode(parser.getLongValue());
                }
                problem = "it has an integer beyond 64 bits";
                return NODES.missingNode();
            case VALUE_NUMBER_FLOAT:
                if (!Double.isFinite(parser.getDoubleValue())) {
                    problem = "it has a number that is not finite";
                }
                return NODES.numberNode(parser.getDoubleValue());
            case VALUE_TRUE, VALUE_FALSE:
                return NODES.booleanNode(parser.getBooleanValue());
            default:
                return NODES.nullNode();
        }
    }

    /** Finds a value by its name or nested names; one with dots takes precedence. A missing node if there is none. */
    static JsonNode find(JsonNode members, String path) {
        JsonNode found = members.path(path);
        for (int dot = path.indexOf('.'); found.isMissingNode() && dot >= 0; dot = path.indexOf('.', dot + 1)) {
            JsonNode inner = members.path(path.substring(0, dot));
            found = inner.isObject() ? find(inner, path.substring(dot + 1)) : found;
        }
        return found;
    }
}
