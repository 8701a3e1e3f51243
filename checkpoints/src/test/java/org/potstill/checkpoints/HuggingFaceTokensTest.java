package org.potstill.checkpoints;

import static org.junit.jupiter.api.Assertions.assertEquals;

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
    @ValueSource(strings = {"smollm", "gpt-2", "llama-bpe", "qwen2"})
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

    private TokenizerDefinition definition(String pre) {
        Path path = Fixtures.file("tied.gguf", folder);
        try (BoundedFile file = BoundedFile.open(path)) {
            Map<String, Object> metadata = new HashMap<>(GgufHeader.read(file).metadata());
            metadata.put("tokenizer.ggml.pre", pre);
            return GgufTokenizer.read(path, metadata, 304);
        }
    }
}
