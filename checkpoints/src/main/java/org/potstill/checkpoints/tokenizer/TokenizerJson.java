// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;

/** Edits of a {@code tokenizer.json} before it goes to the native library. */
public final class TokenizerJson {
    private TokenizerJson() {
    }

    /** Removes truncation, padding and template, which are up to the caller. What remains of the template affects the places of tokens alone. */
    static String withoutLimits(String json) {
        Map<String, Object> tokenizer = parse(json);
        List<Object> placing = new ArrayList<>();
        collectPlacing(tokenizer.get("post_processor"), placing);
        tokenizer.put("post_processor", placing.isEmpty() ? null : members("type", "Sequence", "processors", placing));
        return write(tokenizer);
    }

    private static void collectPlacing(Object processor, List<Object> placing) {
        if (processor instanceof Map<?, ?> map && map.get("processors") instanceof List<?> sequence) {
            sequence.forEach(member -> collectPlacing(member, placing));
        } else if (processor instanceof Map<?, ?> map && "ByteLevel".equals(map.get("type"))) {
            placing.add(processor);
        }
    }

    /**
     * Makes the tokenizer unable to produce control tokens: special added tokens are neither searched for in the text nor
     * kept in the vocabulary, where merges could reach them. All other tokens keep their ids.
     */
    static String withoutControlTokens(String json) {
        Map<String, Object> tokenizer = parse(json);
        tokenizer.put("post_processor", null);
        try {
            List<Map<String, Object>> kept = new ArrayList<>();
            Set<Object> control = new HashSet<>();
            for (Map<String, Object> added : addedTokens(tokenizer)) {
                if (Boolean.TRUE.equals(added.get("special"))) {
                    control.add(added.get("content"));
                } else {
                    kept.add(added);
                }
            }
            tokenizer.put("added_tokens", kept);
            Map<String, Object> model = Json.asObject(tokenizer.get("model"));
            if (model.get("vocab") instanceof List<?> pieces) {
                model.put("vocab", unigram(pieces, model.get("unk_id"), control, kept));
                return write(tokenizer);
            }
            Map<String, Object> vocabulary = Json.asObject(model.get("vocab"));
            if (model.get("merges") instanceof List<?> merges) {
                model.put("merges", merges.stream().filter(m -> !touches(m, control)).toList());
            }
            // The unknown token must stay: the model fails without it.
            control.remove(model.get("unk_token"));
            vocabulary.keySet().removeAll(control);
            // The library would give an added token missing from the vocabulary the next free id instead of its own.
            for (Map<String, Object> token : kept) {
                vocabulary.putIfAbsent(String.valueOf(token.get("content")), token.get("id"));
            }
            return write(tokenizer);
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    /**
     * Replaces control tokens of a unigram model, in which a piece's position is its id, with pieces that no text can
     * contain: noncharacters and a space, which such models replace before the lookup.
     */
    private static List<Object> unigram(List<?> pieces, Object unknown, Set<Object> control, List<Map<String, Object>> added)
            throws Json.MalformedException {
        List<Object> vocabulary = new ArrayList<>();
        for (Object piece : pieces) {
            long id = vocabulary.size();
            boolean reachable = !(piece instanceof List<?> pair && !pair.isEmpty() && control.contains(pair.get(0)))
                    || Long.valueOf(id).equals(unknown);
            vocabulary.add(reachable ? piece : placeholder(id));
        }
        for (Map<String, Object> token : added) {
            if (!(token.get("id") instanceof Long id) || id < 0 || id > pieces.size() + (long) pieces.size()) {
                throw new Json.MalformedException("an added token has the id " + token.get("id"));
            }
            while (vocabulary.size() <= id) {
                vocabulary.add(placeholder(vocabulary.size()));
            }
            if (id >= pieces.size()) {
                vocabulary.set(id.intValue(), List.of(String.valueOf(token.get("content")), 0L));
            }
        }
        return vocabulary;
    }

    private static Object placeholder(long id) {
        return List.of("\uffff \uffff" + id, 0L);
    }

    public static List<Map<String, Object>> addedTokens(Map<String, Object> tokenizer) throws Json.MalformedException {
        List<Map<String, Object>> added = new ArrayList<>();
        if (tokenizer.get("added_tokens") instanceof List<?> list) {
            for (Object token : list) {
                added.add(Json.asObject(token));
            }
        }
        return added;
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

    /** Returns whether a merge, {@code "a b"} or {@code ["a", "b"]}, takes or makes one of the tokens. */
    private static boolean touches(Object merge, Set<Object> tokens) {
        Object[] pair = merge instanceof List<?> list ? list.toArray() : String.valueOf(merge).split(" ", 2);
        return pair.length != 2 || tokens.contains(pair[0]) || tokens.contains(pair[1])
                || tokens.contains(pair[0] + "" + pair[1]);
    }

    public static String write(Map<String, Object> json) {
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

    /** Returns a JSON object of names and values in turn, in this order: that of {@code Map.of} differs between JVMs. */
    public static Map<String, Object> members(Object... namesAndValues) {
        Map<String, Object> members = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            members.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        return members;
    }
}
