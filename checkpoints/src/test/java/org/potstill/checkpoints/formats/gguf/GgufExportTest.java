// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Families;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Half;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.checkpoints.tokenizer.TokenizerJson;
import org.potstill.errors.UserException;

class GgufExportTest {
    @TempDir
    Path folder;

    private static Stream<String> families() {
        return Families.all().keySet().stream();
    }

    private Checkpoint source(GgufWriter gguf) {
        Path file = folder.resolve("source.gguf");
        gguf.write(file);
        return Checkpoints.open(file);
    }

    private Path export(Checkpoint source, GgufExport.Numbers numbers) {
        Path file = folder.resolve("exported.gguf");
        new GgufExport(source, numbers).write("tiny", file);
        return file;
    }

    private static float[] values(Checkpoint checkpoint, String name) {
        FloatBuffer values = FloatBuffer.allocate((int) Arrays.stream(checkpoint.tensors().get(name)).reduce(1, (a, b) -> a * b));
        checkpoint.read(name, values);
        return values.array();
    }

    @ParameterizedTest
    @MethodSource("families")
    void eachFamilyComesBackAsItWas(String family) {
        CausalLmConfig config = Families.all().get(family);
        try (Checkpoint source = source(TinyLlama.gguf(5, config));
                Checkpoint exported = Checkpoints.open(export(source, GgufExport.Numbers.F32))) {
            assertEquals(source.tensors().keySet(), exported.tensors().keySet());
            source.tensors().keySet().forEach(name -> assertArrayEquals(values(source, name), values(exported, name), name));
            assertEquals(source.config().toJson().replace("\"max_position_embeddings\": 256", ""),
                    exported.config().toJson().replaceFirst("\"max_position_embeddings\": (256|40)", ""));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ggml-smollm3", "ggml-granite", "ggml-phi3", "ggml-olmo2", "ggml-gemma2", "ggml-gemma3"})
    void aFileOfEachArchitectureComesBackAsItWas(String name) {
        try (Checkpoint source = Checkpoints.open(Fixtures.checkpoint(name, folder));
                Checkpoint exported = Checkpoints.open(export(source, GgufExport.Numbers.F32))) {
            assertEquals(source.config().toJson(), exported.config().toJson());
            source.tensors().keySet().forEach(tensor -> assertArrayEquals(values(source, tensor), values(exported, tensor), tensor));
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"smollm3", "qwen3-yarn", "gemma3"})
    void whatLlamaCppWouldComputeOtherwiseIsRefused(String name) throws IOException {
        Path path = Fixtures.checkpoint(name, folder);
        try (Checkpoint other = Checkpoints.open(Fixtures.checkpoint("tied", folder))) {
            Files.writeString(path.resolve("tokenizer.json"), other.tokenizer().json());
        }
        try (Checkpoint source = Checkpoints.open(path)) {
            UserException e = assertThrows(UserException.class, () -> new GgufExport(source, GgufExport.Numbers.F32));
            assertTrue(e.cause().contains("llama.cpp"), e.getMessage());
        }
    }

    @Test
    void aContextEndsWhereASlidingWindowWouldBegin() {
        Variant variant = new Variant(Family.QWEN2, true, false, 100, List.of(1), List.of());
        try (Checkpoint source = new Renamed(source(TinyLlama.gguf(5, Families.shape(16, true,
                new Variant(Family.QWEN2, true, false, 0, List.of(), List.of())))), Families.shape(16, true, variant))) {
            GgufExport export = new GgufExport(source, GgufExport.Numbers.F16);
            assertTrue(export.remarks().get(0).contains("100 tokens, not 256"), export.remarks().toString());
            export.write("tiny", folder.resolve("out.gguf"));
            try (Checkpoint exported = Checkpoints.open(folder.resolve("out.gguf"))) {
                assertEquals(100, exported.maxPositionEmbeddings());
                assertEquals(0, exported.config().variant().slidingWindow());
            }
        }
    }

    /** The same weights under another configuration. */
    private record Renamed(Checkpoint weights, CausalLmConfig config) implements Checkpoint {
        @Override
        public Map<String, long[]> tensors() {
            return weights.tensors();
        }

        @Override
        public void readRows(String name, long firstRow, long rowCount, FloatBuffer target) {
            weights.readRows(name, firstRow, rowCount, target);
        }

        @Override
        public TokenizerDefinition tokenizer() {
            return weights.tokenizer();
        }

        @Override
        public long storedBytes() {
            return weights.storedBytes();
        }

        @Override
        public String fingerprint() {
            return weights.fingerprint();
        }

        @Override
        public void close() {
            weights.close();
        }
    }

    @Test
    void matricesAreRoundedAndVectorsAreNot() {
        try (Checkpoint source = source(TinyLlama.gguf(5, Families.all().get("llama-biases")))) {
            for (GgufExport.Numbers numbers : List.of(GgufExport.Numbers.F16, GgufExport.Numbers.Q8_0)) {
                try (Checkpoint exported = Checkpoints.open(export(source, numbers))) {
                    source.tensors().forEach((name, shape) -> {
                        float[] expected = values(source, name);
                        float[] actual = values(exported, name);
                        for (int i = 0; i < expected.length; i++) {
                            if (shape.length == 1) {
                                assertEquals(expected[i], actual[i], name);
                            } else if (numbers == GgufExport.Numbers.F16) {
                                assertEquals(Half.toFloat(Half.of(expected[i])), actual[i], name);
                            } else {
                                float largest = 0;
                                for (int j = i / 32 * 32; j < i / 32 * 32 + 32; j++) {
                                    largest = Math.max(largest, Math.abs(expected[j]));
                                }
                                // Half a step, and the rounding of the scale to a half, 127 of which add up.
                                assertEquals(expected[i], actual[i], largest * (0.5 / 127 + 0x1p-11), name);
                            }
                        }
                    });
                }
            }
        }
    }

    @Test
    void rowsThatMakeNoWholeBlocksStayHalves() {
        CausalLmConfig odd = new CausalLmConfig(320, 48, 80, 1, 4, 2, 12, 64, 1e-5f, 10_000f, true);
        try (Checkpoint source = source(TinyLlama.gguf(5, odd)); Checkpoint exported = Checkpoints.open(export(source, GgufExport.Numbers.Q8_0))) {
            float[] halves = values(source, LlamaTensors.EMBEDDING);
            for (int i = 0; i < halves.length; i++) {
                halves[i] = Half.toFloat(Half.of(halves[i]));
            }
            assertArrayEquals(halves, values(exported, LlamaTensors.EMBEDDING));
        }
    }

    @Test
    void theSameModelGivesTheSameBytes() throws IOException {
        try (Checkpoint source = source(TinyLlama.gguf(5, TinyLlama.config()))) {
            byte[] once = Files.readAllBytes(export(source, GgufExport.Numbers.Q8_0));
            assertArrayEquals(once, Files.readAllBytes(export(source, GgufExport.Numbers.Q8_0)));
        }
    }

    @ParameterizedTest
    @EnumSource
    void eachKnownTokenizerComesBackWithTemplateAndEnds(GgufPreTokenizer pre) {
        String template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{% endfor %}";
        String text = "The and the ation in 1999, it's\n\n  naïve café 日本 don't\r\nHTTPServer  x\t";
        GgufWriter gguf = TinyLlama.gguf(5, TinyLlama.config()).put("tokenizer.ggml.pre", pre.ggufName).put("tokenizer.chat_template", template)
                .put("tokenizer.ggml.eot_token_id", 17).put("tokenizer.ggml.eom_token_id", 9).put("tokenizer.ggml.add_bos_token", true);
        try (Checkpoint source = source(gguf); Checkpoint exported = Checkpoints.open(export(source, GgufExport.Numbers.F16))) {
            TokenizerDefinition expected = source.tokenizer();
            TokenizerDefinition actual = exported.tokenizer();
            assertEquals(List.of(0, 9, 17), actual.stopIds());
            assertEquals(List.of(expected.bosId(), expected.eosId(), expected.addBos(), expected.chatTemplate(), expected.stopIds()),
                    List.of(actual.bosId(), actual.eosId(), actual.addBos(), actual.chatTemplate(), actual.stopIds()));
            try (Tokenizer ours = new Tokenizer(expected); Tokenizer theirs = new Tokenizer(actual)) {
                assertArrayEquals(ours.encode(text), theirs.encode(text));
                assertArrayEquals(ours.encode("<|endoftext|>" + text, true), theirs.encode("<|endoftext|>" + text, true));
            }
        }
    }

    @Test
    void aTokenizerFileThatSaysTheSameInOtherWordsIsTheSame() throws Json.MalformedException {
        assertEquals("smollm", pre("""
                {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
                 {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false}]}, "model": {}}"""));
        assertEquals("gpt-2", pre("""
                {"normalizer": {"type": "Sequence", "normalizers": []}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false,
                 "use_regex": true}, "model": {"ignore_merges": false}}"""));
        for (String other : List.of("\"normalizer\": {\"type\": \"NFC\"}, ", "\"normalizer\": {\"type\": \"Lowercase\"}, ")) {
            assertEquals("none", pre("{" + other + """
                    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false}, "model": {}}"""));
        }
        assertEquals("none", pre("{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true}, \"model\": {}}"));
        assertEquals("none", pre("{\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false}, \"model\": {\"ignore_merges\": true}}"));
        assertEquals("none", pre("{\"model\": {}}"));
    }

    private static String pre(String json) throws Json.MalformedException {
        return GgufPreTokenizer.of(Json.object(json)).map(each -> each.ggufName).orElse("none");
    }

    @Test
    void moreEndsThanTheFileHasPlacesForAreRemarkedOn() {
        try (Checkpoint source = source(TinyLlama.gguf(5, TinyLlama.config()))) {
            TokenizerDefinition definition = source.tokenizer();
            GgufTokenizerWriter writer = new GgufTokenizerWriter(new TokenizerDefinition(definition.json(), 0, 5, false, "", List.of(1, 2, 3, 5)), 320);
            assertEquals(List.of(3), writer.unnamedEnds());
        }
    }

    @Test
    void whatLlamaCppWouldComputeOtherwiseIsRefused() {
        Variant scaled = new Variant(Family.QWEN3, false, false, 0, List.of(), List.of(1f, 2f, 3f, 4f, 5f, 6f, 7f, 8f));
        Variant biased = new Variant(Family.QWEN3, true, false, 0, List.of(), List.of());
        Variant qwen2 = new Variant(Family.QWEN2, true, false, 0, List.of(), List.of());
        Map<CausalLmConfig, String> refused = new LinkedHashMap<>();
        refused.put(Families.shape(16, true, scaled), "rotary frequencies");
        refused.put(Families.shape(16, true, biased), "bias");
        refused.put(Families.shape(24, true, qwen2), "4 of 24 are not 64");
        try (Checkpoint weights = source(TinyLlama.gguf(5, TinyLlama.config()))) {
            refused.forEach((config, word) -> {
                UserException error = assertThrows(UserException.class, () -> new GgufExport(new Renamed(weights, config), GgufExport.Numbers.F16));
                assertTrue(error.getMessage().contains(word), error.getMessage());
            });
        }
    }

    @Test
    void aWeightThatTheNumbersCannotHoldIsNamed() {
        float[] large = new float[64 * 64];
        large[70] = 1e5f;
        try (Checkpoint source = source(TinyLlama.gguf(5, TinyLlama.config()).tensor("blk.1.attn_q.weight", new long[] {64, 64}, large))) {
            UserException error = assertThrows(UserException.class, () -> export(source, GgufExport.Numbers.F16));
            assertTrue(error.getMessage().contains("model.layers.1.self_attn.q_proj.weight") && error.getMessage().contains("100000"), error.getMessage());
            export(source, GgufExport.Numbers.Q8_0);
        }
    }

    @Test
    void tokenizersOfOtherKindsAreRefusedInTheirOwnWords() throws Json.MalformedException {
        refused(json -> json.put("pre_tokenizer", Map.of("type", "Whitespace")), "cuts text");
        refused(json -> json.put("decoder", Map.of("type", "Metaspace")), "byte-level");
        refused(json -> model(json).put("type", "Unigram"), "byte-level");
        refused(json -> model(json).put("byte_fallback", true), "byte-level");
        refused(json -> model(json).put("merges", List.of(List.of("a b", "c"))), "without spaces");
        refused(json -> json.put("added_tokens", List.of(Map.of("id", 0L, "content", "<|endoftext|>", "special", true, "lstrip", true))), "lstrip");
    }

    @SuppressWarnings("unchecked")
    private static Map<String, Object> model(Map<String, Object> json) {
        return (Map<String, Object>) json.get("model");
    }

    private void refused(Consumer<Map<String, Object>> change, String word) throws Json.MalformedException {
        try (Checkpoint source = source(TinyLlama.gguf(5, TinyLlama.config()))) {
            Map<String, Object> json = Json.object(source.tokenizer().json());
            change.accept(json);
            TokenizerDefinition changed = new TokenizerDefinition(TokenizerJson.write(json), 0, 0, false);
            UserException error = assertThrows(UserException.class, () -> new GgufTokenizerWriter(changed, 320));
            assertTrue(error.getMessage().contains(word), error.getMessage());
        }
    }
}
