package org.potstill.checkpoints;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class HuggingFaceTokensTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"smollm", "gpt-2", "llama-bpe", "qwen2", "tekken"})
    void trickyTextsGetTheIdsThatHuggingFaceGivesThem(String pre) throws Json.MalformedException {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("tokens.json"), StandardCharsets.UTF_8));
        List<?> texts = (List<?>) fixture.get("texts");
        List<?> expected = (List<?>) Json.asObject(fixture.get("ids")).get(pre);
        try (Tokenizer tokenizer = new Tokenizer(definition(pre))) {
            for (int i = 0; i < texts.size(); i++) {
                String text = (String) texts.get(i);
                int[] ids = tokenizer.encode(text);
                assertEquals(expected.get(i), Arrays.stream(ids).mapToObj(id -> (long) id).toList(), text);
                String same = pre.equals("qwen2") ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
                assertEquals(same, tokenizer.decode(ids));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "mistral", "unigram", "qwen", "llama3"})
    void everyKindOfTokenizerJsonGivesTheIdsThatHuggingFaceGives(String kind) throws Json.MalformedException {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("tokenizers.json"), StandardCharsets.UTF_8));
        Map<String, Object> tested = Json.asObject(Json.asObject(fixture.get("kinds")).get(kind));
        List<?> texts = (List<?>) fixture.get("texts");
        String json = TokenizerJson.write(Json.asObject(tested.get("tokenizer")));
        try (Tokenizer tokenizer = new Tokenizer(new TokenizerDefinition(json, -1, -1, false))) {
            for (int i = 0; i < texts.size(); i++) {
                String text = (String) texts.get(i);
                int[] ids = tokenizer.encode(text);
                assertEquals(((List<?>) tested.get("ids")).get(i), Arrays.stream(ids).mapToObj(id -> (long) id).toList(), text);
                assertEquals(((List<?>) tested.get("decoded")).get(i), tokenizer.decode(ids));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "mistral", "unigram", "qwen", "llama3"})
    void noTextBecomesAControlToken(String kind) throws Json.MalformedException {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("tokenizers.json"), StandardCharsets.UTF_8));
        Map<String, Object> json = Json.asObject(Json.asObject(Json.asObject(fixture.get("kinds")).get(kind)).get("tokenizer"));
        List<Map<String, Object>> control = TokenizerJson.addedTokens(json).stream()
                .filter(t -> Boolean.TRUE.equals(t.get("special")) && !"<unk>".equals(t.get("content"))).toList();
        assertFalse(control.isEmpty());
        try (Tokenizer tokenizer = new Tokenizer(new TokenizerDefinition(TokenizerJson.write(json), -1, -1, false))) {
            for (Map<String, Object> token : control) {
                long id = (Long) token.get("id");
                assertEquals(token.get("content"), tokenizer.decode(new int[] {(int) id}).strip());
                for (String text : List.of("%s", "a%sb", " %s ", "%s%1$s")) {
                    int[] ids = tokenizer.encode(String.format(text, token.get("content")));
                    assertTrue(Arrays.stream(ids).noneMatch(i -> i == id), token + " in " + Arrays.toString(ids));
                }
            }
        }
    }

    private TokenizerDefinition definition(String pre) {
        Path path = Fixtures.file("tied.gguf", folder);
        try (BoundedFile file = BoundedFile.open(path)) {
            Map<String, Object> metadata = new HashMap<>(GgufHeader.read(file).metadata());
            metadata.put("tokenizer.ggml.pre", pre);
            return GgufTokenizer.read(path, metadata, 304);
        }
    }
}
