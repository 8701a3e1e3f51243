// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;

/**
 * Vocabulary entries that no text produces: if an embedding table is longer than the tokenizer, llama.cpp's converter
 * adds a token for each remaining row, {@code [PAD151936]} for row 151936.
 */
public final class VocabularyPadding {
    private VocabularyPadding() {
    }

    /** A name for a row that stands for no token of a text. */
    public static String name(int id, Predicate<String> isFree) {
        String name = "[PAD" + id + "]";
        while (!isFree.test(name)) {
            name += "_";
        }
        return name;
    }

    static Optional<String> tokenBetween(TokenizerDefinition definition, int from, int to) {
        Set<String> padding = padding(definition);
        return HuggingFaceTokenizer.ids(definition).entrySet().stream()
                .filter(token -> token.getValue() >= from && token.getValue() < to && !padding.contains(token.getKey()))
                .map(token -> "\"" + token.getKey() + "\" is " + token.getValue()).findFirst();
    }

    static TokenizerDefinition below(TokenizerDefinition definition, int rows) {
        Map<String, Long> ids = HuggingFaceTokenizer.ids(definition);
        Set<String> beyond = padding(definition);
        beyond.removeIf(token -> ids.get(token) < rows);
        if (beyond.isEmpty()) {
            return definition;
        }
        try {
            Map<String, Object> json = Json.object(definition.json());
            Json.asObject(Json.asObject(json.get("model")).get("vocab")).keySet().removeAll(beyond);
            return definition.withJson(TokenizerJson.write(json));
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }

    private static Set<String> padding(TokenizerDefinition definition) {
        try {
            Map<String, Object> json = Json.object(definition.json());
            Set<String> padding = new HashSet<>();
            if (Json.asObject(json.get("model")).get("vocab") instanceof Map<?, ?> vocabulary) {
                vocabulary.forEach((token, id) -> {
                    if (("[PAD" + id + "]").equals(token)) {
                        padding.add((String) token);
                    }
                });
            }
            TokenizerJson.addedTokens(json).forEach(added -> padding.remove(String.valueOf(added.get("content"))));
            return padding;
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badTokenizerDefinition(e.getMessage());
        }
    }
}
