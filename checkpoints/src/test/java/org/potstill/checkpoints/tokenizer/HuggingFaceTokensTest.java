// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.tokenizer;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.gguf.GgufHeader;
import org.potstill.checkpoints.formats.gguf.GgufTokenizer;
import org.potstill.checkpoints.io.BoundedFile;
import org.potstill.checkpoints.io.Json;
import org.potstill.errors.UserException;

final class HuggingFaceTokensTest {
    private static final List<String> NORMALISED = List.of("qwen2", "qwen35");

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"smollm", "gpt-2", "llama-bpe", "smaug-bpe", "qwen2", "stablelm2", "qwen35", "minicpm5", "tekken", "gpt-4o",
        "deepseek-v3", "deepseek-coder", "seed-coder", "bailingmoe", "falcon", "bloom", "viking", "default"})
    void trickyTextsGetTheIdsThatHuggingFaceGivesThem(String pre) throws Json.MalformedException {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("tokens.json"), StandardCharsets.UTF_8));
        List<?> texts = (List<?>) fixture.get("texts");
        List<?> expected = (List<?>) Json.asObject(fixture.get("ids")).get(pre);
        try (Tokenizer tokenizer = new Tokenizer(definition(pre))) {
            for (int i = 0; i < texts.size(); i++) {
                String text = (String) texts.get(i);
                int[] ids = tokenizer.encode(text);
                assertEquals(expected.get(i), Arrays.stream(ids).mapToObj(id -> (long) id).toList(), text);
                String same = NORMALISED.contains(pre) ? Normalizer.normalize(text, Normalizer.Form.NFC) : text;
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

    @Test
    void tokensThatOnlyTheConfigurationHasAreFoundInTextsAsInTransformers() throws IOException {
        Files.writeString(folder.resolve("tokenizer.json"), "{\"added_tokens\": [], \"model\": {\"type\": \"BPE\", \"vocab\": "
                + "{\"a\": 0, \"b\": 1, \"<\": 2, \"e\": 3, \">\": 4, \"<e>\": 5, \"n\": 6}, \"merges\": []}}");
        Path config = folder.resolve("tokenizer_config.json");
        String listed = "{\"eos_token\": \"<e>\", \"pad_token\": \"<b>\", \"additional_special_tokens\": [\"<n>\"], "
                + "\"added_tokens_decoder\": {\"7\": {\"content\": \"<n>\", \"special\": false}}}";
        Files.writeString(config, listed);
        try (Tokenizer tokenizer = new Tokenizer(HuggingFaceTokenizer.read(folder, "{}", 8))) {
            assertArrayEquals(new int[] {0, 5, 7, 2, 1, 4}, tokenizer.encode("a<e><n><b>", true));
            assertArrayEquals(new int[] {0, 2, 3, 4, 2, 6, 4}, tokenizer.encode("a<e><n>"));
        }
        Files.writeString(config, listed.replace("\"7\"", "\"8\""));
        UserException other = assertThrows(UserException.class, () -> HuggingFaceTokenizer.read(folder, "{}", 9));
        assertTrue(other.cause().contains("\"<n>\" has the id 8"), other.getMessage());
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

    @ParameterizedTest
    @CsvSource({"llama3,llama-bpe", "llama-v3,llama-bpe", "falcon3,llama-bpe", "deepseek-r1-qwen,qwen2", "megrez,qwen2", "starcoder,smollm",
        "command-r,smollm", "refact,smollm", "phi-2,gpt-2", "exaone4,gpt-2", "mpt,gpt-2", "dbrx,smaug-bpe", "hunyuan,stablelm2",
        "llama4,gpt-4o", "poro-chat,bloom"})
    void otherNamesOfATokenizerStandForTheSame(String name, String pre) {
        assertEquals(definition(pre), definition(name));
    }

    @Test
    void documentsBeginAndEndAsTransformersHasIt() throws Exception {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("document_tokens.json"), StandardCharsets.UTF_8));
        Map<String, Object> processors = Json.asObject(fixture.get("processors"));
        Map<String, Object> tokenizer = Json.asObject(fixture.get("tokenizer"));
        for (Object each : (List<?>) fixture.get("cases")) {
            Map<String, Object> tested = Json.asObject(each);
            tokenizer.put("post_processor", processors.get(tested.get("processor")));
            Map<String, Object> config = new LinkedHashMap<>(Map.of("bos_token", "<s>", "eos_token", "</s>", "model_max_length", 256L));
            config.putAll(Json.asObject(tested.get("flags")));
            if (tested.get("class") != null) {
                config.put("tokenizer_class", tested.get("class"));
            }
            Files.writeString(folder.resolve("tokenizer.json"), TokenizerJson.write(tokenizer));
            Files.writeString(folder.resolve("tokenizer_config.json"), TokenizerJson.write(config));
            for (String version : List.of("4", "5")) {
                if (tested.get(version) != null) {
                    TokenizerDefinition definition = HuggingFaceTokenizer.read(folder, TokenizerJson.write(Map.of(
                            "model_type", tested.get("model"), "transformers_version", version + ".5.1")), 320);
                    assertEquals(tested.get(version).toString(), List.of(definition.begin(), definition.end()).toString(), tested + " in " + version);
                    assertCopyIsTheSame(definition);
                }
            }
        }
    }

    /** Of an empty cell there is nothing in the file; measured with transformers 4.57.1 and 5.24.0. */
    @ParameterizedTest
    @CsvSource({"PreTrainedTokenizerFast,4,true,,false", "PreTrainedTokenizerFast,4,true,true,true", "PreTrainedTokenizerFast,4,false,true,true",
        "PreTrainedTokenizerFast,4,false,,false", "Qwen2TokenizerFast,4,true,false,false", "GPT2TokenizerFast,4,true,,false",
        "LlamaTokenizerFast,4,true,,true", "LlamaTokenizerFast,4,false,,false", "PreTrainedTokenizerFast,5,true,,true",
        "PreTrainedTokenizerFast,5,false,true,false", "GPT2TokenizerFast,5,true,,false", "GPT2TokenizerFast,5,false,true,true"})
    void textsBeginWithASpaceWhereTransformersPutsIt(String kind, String version, boolean inFile, Boolean flag, boolean space) throws Exception {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("document_tokens.json"), StandardCharsets.UTF_8));
        Map<String, Object> json = Json.asObject(fixture.get("tokenizer"));
        Json.asObject(json.get("pre_tokenizer")).put("add_prefix_space", inFile);
        Map<String, Object> config = new LinkedHashMap<>(Map.of("tokenizer_class", kind, "add_bos_token", false, "model_max_length", 256L));
        if (flag != null) {
            config.put("add_prefix_space", flag);
        }
        Files.writeString(folder.resolve("tokenizer.json"), TokenizerJson.write(json));
        Files.writeString(folder.resolve("tokenizer_config.json"), TokenizerJson.write(config));
        TokenizerDefinition definition = HuggingFaceTokenizer.read(folder, TokenizerJson.write(Map.of("model_type", "llama",
                "transformers_version", version + ".5.1")), 320);
        Path copy = Files.createDirectories(folder.resolve("copy"));
        Files.writeString(copy.resolve("tokenizer.json"), definition.huggingFaceJson());
        Files.writeString(copy.resolve("tokenizer_config.json"), definition.configJson());
        for (TokenizerDefinition each : List.of(definition, HuggingFaceTokenizer.read(copy, "{\"model_type\":\"llama\"}", 320))) {
            try (Tokenizer tokenizer = new Tokenizer(each)) {
                assertEquals(space ? " the and" : "the and", tokenizer.decode(tokenizer.encode("the and")));
            }
        }
    }

    /** As a student's folder has it, and as an export has it. */
    private void assertCopyIsTheSame(TokenizerDefinition definition) throws IOException {
        Path copy = Files.createDirectories(folder.resolve("copy"));
        Files.writeString(copy.resolve("tokenizer.json"), definition.huggingFaceJson());
        Files.writeString(copy.resolve("tokenizer_config.json"), definition.configJson());
        TokenizerDefinition again = HuggingFaceTokenizer.read(copy, "{\"model_type\":\"llama\"}", 320);
        assertEquals(List.of(definition.begin(), definition.end()), List.of(again.begin(), again.end()));
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama2", "mistral", "unigram", "qwen", "llama3"})
    void theTextsOfTokensAreTogetherTheText(String kind) throws Json.MalformedException {
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("tokenizers.json"), StandardCharsets.UTF_8));
        Map<String, Object> json = Json.asObject(Json.asObject(Json.asObject(fixture.get("kinds")).get(kind)).get("tokenizer"));
        TokenizerDefinition definition = new TokenizerDefinition(TokenizerJson.write(json), -1, -1, false);
        TokenBytes bytes = TokenBytes.of(definition);
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            for (Object text : (List<?>) fixture.get("texts")) {
                int[] ids = tokenizer.encode((String) text);
                String decoded = tokenizer.decode(ids);
                String whole = new String(bytes.bytes(ids), StandardCharsets.UTF_8);
                // Some decoders drop the space that the tokenizer has put before a text.
                assertEquals(decoded, whole.equals(" " + decoded) ? decoded : whole, kind);
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
