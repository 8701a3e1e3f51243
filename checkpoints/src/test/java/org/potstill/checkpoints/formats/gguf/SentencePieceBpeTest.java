// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;

/** SentencePiece vocabularies of GGUF files against what SentencePiece itself makes of texts. */
final class SentencePieceBpeTest {
    private static Map<String, Object> fixture() {
        try {
            return Json.object(new String(Fixtures.bytes("sentencepiece.json"), StandardCharsets.UTF_8));
        } catch (Json.MalformedException e) {
            throw new AssertionError(e);
        }
    }

    private static List<?> list(String kind, String member) throws Json.MalformedException {
        return (List<?>) Json.asObject(Json.asObject(fixture().get("kinds")).get(kind)).get(member);
    }

    private static Map<String, Object> metadata(String kind) throws Json.MalformedException {
        Map<String, Object> metadata = new HashMap<>();
        metadata.put("tokenizer.ggml.model", "llama");
        metadata.put("tokenizer.ggml.tokens", list(kind, "tokens").stream().map(String.class::cast).toArray(String[]::new));
        metadata.put("tokenizer.ggml.scores", list(kind, "scores").stream().mapToDouble(score -> ((Number) score).doubleValue()).toArray());
        metadata.put("tokenizer.ggml.token_type", list(kind, "types").stream().mapToLong(type -> ((Number) type).longValue()).toArray());
        metadata.put("tokenizer.ggml.bos_token_id", 1L);
        metadata.put("tokenizer.ggml.eos_token_id", 2L);
        if (kind.equals("gemma")) {
            metadata.put("tokenizer.ggml.add_space_prefix", false);
        }
        return metadata;
    }

    private static TokenizerDefinition read(Map<String, Object> metadata) {
        return GgufTokenizer.read(Path.of("model.gguf"), metadata, 1000);
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "gemma"})
    void idsAreThoseOfSentencePiece(String kind) throws Json.MalformedException {
        TokenizerDefinition definition = read(metadata(kind));
        assertEquals(List.of(1), definition.begin());
        assertEquals(List.of(), definition.end());
        List<?> texts = (List<?>) fixture().get("texts");
        List<?> expected = list(kind, "ids");
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            for (int i = 0; i < texts.size(); i++) {
                String text = (String) texts.get(i);
                int[] ids = ((List<?>) expected.get(i)).stream().mapToInt(id -> ((Number) id).intValue()).toArray();
                assertArrayEquals(ids, tokenizer.encode(text), text);
                assertEquals(text, tokenizer.decode(ids));
            }
        }
    }

    @Test
    void whatWouldTokenizeOtherwiseIsRefused() throws Json.MalformedException {
        for (Map.Entry<String, Object> flaw : Map.<String, Object>of("tokenizer.ggml.scores", new double[] {1},
                "tokenizer.ggml.remove_extra_whitespaces", true, "tokenizer.ggml.precompiled_charsmap", new long[] {7},
                "tokenizer.ggml.model", "t5", "tokenizer.ggml.token_type", new long[420]).entrySet()) {
            Map<String, Object> metadata = metadata("llama");
            metadata.put(flaw.getKey(), flaw.getValue());
            UserException e = assertThrows(UserException.class, () -> read(metadata), flaw.getKey());
            assertTrue(e.problem().contains("model.gguf"), e.getMessage());
        }
    }
}
