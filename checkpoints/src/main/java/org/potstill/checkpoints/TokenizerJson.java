package org.potstill.checkpoints;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Edits of a {@code tokenizer.json} before the native library gets it. */
final class TokenizerJson {
    private TokenizerJson() {
    }

    /** The same tokenizer without truncation, padding and template: those are nobody's business but the caller's. */
    static String withoutLimits(String json) {
        return write(parse(json));
    }

    /**
     * The same tokenizer, unable to produce control tokens: special added tokens are neither looked for in the text
     * nor left in the vocabulary, where merges could reach them.
     */
    static String withoutControlTokens(String json) {
        Map<String, Object> tokenizer = parse(json);
        try {
            List<Object> kept = new ArrayList<>();
            Set<Object> control = new HashSet<>();
            for (Object token : list(tokenizer.get("added_tokens"))) {
                Map<String, Object> added = Json.asObject(token);
                if (Boolean.TRUE.equals(added.get("special"))) {
                    control.add(added.get("content"));
                } else {
                    kept.add(token);
                }
            }
            tokenizer.put("added_tokens", kept);
            Map<String, Object> model = Json.asObject(tokenizer.get("model"));
            Map<String, Object> vocabulary = Json.asObject(model.get("vocab"));
            vocabulary.keySet().removeAll(control);
            model.put("merges", list(model.get("merges")).stream().filter(m -> !touches(m, control)).toList());
            return write(tokenizer);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    private static Map<String, Object> parse(String json) {
        try {
            Map<String, Object> tokenizer = Json.object(json);
            tokenizer.put("truncation", null);
            tokenizer.put("padding", null);
            return tokenizer;
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    /** Whether a merge, {@code "a b"} or {@code ["a", "b"]}, takes or makes one of the tokens. */
    private static boolean touches(Object merge, Set<Object> tokens) {
        Object[] pair = merge instanceof List<?> list ? list.toArray() : String.valueOf(merge).split(" ", 2);
        return pair.length != 2 || tokens.contains(pair[0]) || tokens.contains(pair[1])
                || tokens.contains(pair[0] + "" + pair[1]);
    }

    private static List<?> list(Object value) {
        return value instanceof List<?> list ? list : List.of();
    }

    static String write(Map<String, Object> json) {
        StringWriter text = new StringWriter();
        try (JsonWriter writer = new JsonWriter(text)) {
            writer.setHtmlSafe(false);
            write(writer, json);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return text.toString();
    }

    private static void write(JsonWriter writer, Object value) throws IOException {
        if (value instanceof Map<?, ?> map) {
            writer.beginObject();
            for (Map.Entry<?, ?> member : map.entrySet()) {
                writer.name((String) member.getKey());
                write(writer, member.getValue());
            }
            writer.endObject();
        } else if (value instanceof List<?> list) {
            writer.beginArray();
            for (Object element : list) {
                write(writer, element);
            }
            writer.endArray();
        } else if (value instanceof Boolean flag) {
            writer.value(flag.booleanValue());
        } else if (value instanceof Number number) {
            writer.value(number);
        } else {
            writer.value((String) value);
        }
    }
}
