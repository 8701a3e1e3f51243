// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import java.io.IOException;
import java.io.StringReader;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A parser of JSON from untrusted files: strict syntax, bounded depth, no duplicate keys.
 *
 * <p>It uses only Gson's streaming classes, which are the same in every version that a Spark distribution may put first
 * on the class path.
 */
public final class Json {
    private static final int MAX_DEPTH = 16;

    private Json() {
    }

    /** Thrown for malformed text; callers, who know the file, convert it to a user's error. */
    public static final class MalformedException extends Exception {
        public MalformedException(String message) {
            super(message);
        }
    }

    /** Parses a JSON object: strings, {@link Double}, {@link Long}, {@link Boolean}, maps, lists and nulls. */
    public static Map<String, Object> object(String text) throws MalformedException {
        try (JsonReader reader = new JsonReader(new StringReader(text))) {
            Object value = value(reader, 0);
            if (!(value instanceof Map)) {
                throw new MalformedException("the outermost value is not an object");
            }
            if (reader.peek() != JsonToken.END_DOCUMENT) {
                throw new MalformedException("there is text after the outermost object");
            }
            return asObject(value);
        } catch (IOException | IllegalStateException | NumberFormatException e) {
            // Without Gson's advice to programmers.
            throw new MalformedException(String.valueOf(e.getMessage()).replaceFirst("^Use JsonReader\\.\\S+ to accept ", "")
                    .replaceFirst("(?s)\nSee https://.*", ""));
        }
    }

    @SuppressWarnings("unchecked")
    public static Map<String, Object> asObject(Object value) throws MalformedException {
        if (value instanceof Map) {
            return (Map<String, Object>) value;
        }
        throw new MalformedException("an object was expected, not " + value);
    }

    private static Object value(JsonReader reader, int depth) throws IOException, MalformedException {
        if (depth > MAX_DEPTH) {
            throw new MalformedException("nested deeper than " + MAX_DEPTH);
        }
        switch (reader.peek()) {
            case BEGIN_OBJECT:
                Map<String, Object> members = new LinkedHashMap<>();
                reader.beginObject();
                while (reader.hasNext()) {
                    String name = reader.nextName();
                    if (members.containsKey(name)) {
                        throw new MalformedException("\"" + name + "\" occurs twice");
                    }
                    members.put(name, value(reader, depth + 1));
                }
                reader.endObject();
                return members;
            case BEGIN_ARRAY:
                List<Object> elements = new ArrayList<>();
                reader.beginArray();
                while (reader.hasNext()) {
                    elements.add(value(reader, depth + 1));
                }
                reader.endArray();
                return elements;
            case NUMBER:
                return number(reader.nextString());
            case STRING:
                return reader.nextString();
            case BOOLEAN:
                return reader.nextBoolean();
            default:
                reader.nextNull();
                return null;
        }
    }

    private static Object number(String text) {
        boolean integral = text.chars().allMatch(c -> c == '-' || (c >= '0' && c <= '9'));
        // Integers that exceed a long, such as the 10^30 that transformers writes for "no limit", become doubles.
        if (integral && new BigInteger(text).bitLength() < Long.SIZE) {
            return Long.valueOf(text);
        }
        double value = Double.parseDouble(text);
        if (!Double.isFinite(value)) {
            throw new NumberFormatException(text + " is beyond all bounds");
        }
        return value;
    }
}
