// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.huggingface;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.StoredForm;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.checkpoints.tokenizer.TokenizerJson;
import org.potstill.errors.UserException;

final class HuggingFaceCheckpointTest {
    private static final CausalLmConfig CONFIG =
            new CausalLmConfig(320, 16, 24, 1, 2, 1, 8, 64, 1e-5f, 10_000f, false);
    private static final String Q = LlamaTensors.layer(0, "self_attn.q_proj");

    @TempDir
    Path folder;

    @Test
    void shardsAreOneModel() {
        Path fixture = Fixtures.checkpoint("mistral-bf16", folder);
        try (Checkpoint checkpoint = Checkpoints.open(fixture)) {
            assertEquals(CausalLmConfig.Family.MISTRAL, checkpoint.config().variant().family());
            assertEquals(11, checkpoint.config().slidingWindow(1));
            assertEquals(LlamaTensors.shapes(checkpoint.config()).keySet(), checkpoint.tensors().keySet());
            String name = LlamaTensors.layer(1, "mlp.up_proj");
            FloatBuffer all = FloatBuffer.allocate(16 * 24);
            checkpoint.read(name, all);
            FloatBuffer some = FloatBuffer.allocate(2 * 24);
            checkpoint.readRows(name, 5, 2, some);
            assertArrayEquals(Arrays.copyOfRange(all.array(), 120, 168), some.array());
        }
    }

    @Test
    void aMixtureOfExpertsIsRefusedInInt8() {
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.checkpoint("mixtral", folder))) {
            checkpoint.requirePrecision(Precision.FP16);
            UserException e = assertThrows(UserException.class, () -> checkpoint.requirePrecision(Precision.INT8));
            assertTrue(e.cause().contains("mixture of experts"), e.getMessage());
        }
    }

    @Test
    void aFamilysFormInItsFilesIsNotTheOneInMemory() {
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.checkpoint("phi3-longrope", folder))) {
            assertEquals(LlamaTensors.shapes(checkpoint.config()).keySet(), checkpoint.tensors().keySet());
            StoredForm form = StoredForm.huggingFace(checkpoint.config(), checkpoint.tensors());
            String fused = LlamaTensors.layer(1, "self_attn.qkv_proj");
            long[] shape = form.shapes().get(fused);
            FloatBuffer again = FloatBuffer.allocate((int) (shape[0] * shape[1]));
            form.encoding(checkpoint::readRows).read(fused, 0, shape[0], again);
            FloatBuffer stored = FloatBuffer.allocate(again.capacity());
            try (SafetensorsFile file = SafetensorsFile.open(folder.resolve("phi3-longrope/model.safetensors"))) {
                file.readRows(fused, 0, shape[0], stored);
            }
            assertArrayEquals(stored.array(), again.array());
        }
    }

    @Test
    void theFingerprintIsThatOfWeightsAndConfiguration() throws IOException {
        String first = fingerprint(write(tensors()));
        assertEquals(first, fingerprint(write(tensors())));
        Files.writeString(folder.resolve("tokenizer.json"), "{}");
        assertEquals(first, fingerprint(folder));
        Files.writeString(folder.resolve("config.json"), CONFIG.toJson() + " ");
        assertNotEquals(first, fingerprint(folder));
        Files.move(folder.resolve("model.safetensors"), folder.resolve("renamed.safetensors"));
        Files.writeString(folder.resolve("config.json"), CONFIG.toJson());
        index("renamed.safetensors");
        assertNotEquals(first, fingerprint(folder));
    }

    @Test
    void everyTensorMustBeThereOnceWithItsShape() {
        refused("missing", t -> t.remove(Q));
        refused("wrong shape", t -> t.put(Q, new long[] {8, 32}));
        refused("rotor", t -> t.put("model.rotor.weight", new long[] {1}));
        refused("self_attn.q_proj.bias", t -> t.put(LlamaTensors.bias(Q), new long[] {16}));
        Map<String, long[]> withBuffer = tensors();
        withBuffer.put("model.layers.0.self_attn.rotary_emb.inv_freq", new long[] {4});
        try (Checkpoint checkpoint = Checkpoints.open(write(withBuffer))) {
            assertEquals(LlamaTensors.shapes(CONFIG).keySet(), checkpoint.tensors().keySet());
        }
    }

    @Test
    void aHeadInTheFileCountsWhateverTheConfigurationSaysOfTying() throws IOException {
        write(tensors());
        Files.writeString(folder.resolve("config.json"), CONFIG.toJson()
                .replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true"));
        try (Checkpoint checkpoint = Checkpoints.open(folder)) {
            assertEquals(CONFIG, checkpoint.config());
        }
    }

    @Test
    void aVocabSizeOtherThanTheRowsOfTheTableIsRefused() throws IOException {
        write(tensors());
        for (int said : new int[] {CONFIG.vocabSize() - 2, CONFIG.vocabSize() + 2}) {
            Files.writeString(folder.resolve("config.json"), CONFIG.toJson()
                    .replaceFirst("\"vocab_size\": *\\d+", "\"vocab_size\": " + said));
            assertTrue(refusal().contains("its vocab_size is " + said + " and the embedding table has " + CONFIG.vocabSize() + " rows"), refusal());
            assertTrue(refusal().contains("set its vocab_size to " + CONFIG.vocabSize()), refusal());
        }
        Map<String, long[]> differing = tensors();
        differing.put(LlamaTensors.HEAD, new long[] {CONFIG.vocabSize() + 2, CONFIG.hiddenSize()});
        write(differing);
        assertTrue(refusal().contains("wrong shape"), refusal());
    }

    @Test
    void anIndexLeadsNowhereButToFilesOfItsFolder() throws IOException {
        write(tensors());
        Files.move(folder.resolve("model.safetensors"), folder.resolve("part.safetensors"));
        for (String name : new String[] {"../part.safetensors", "/etc/passwd", "sub/part.safetensors", ".safetensors", "..",
            "", "part.bin", "a\\u0000.safetensors", "~/part.safetensors", "..\\\\part.safetensors"}) {
            index(name);
            assertTrue(refusal().contains("not a .safetensors file"), name);
        }
        index("absent.safetensors");
        assertTrue(refusal().contains("absent.safetensors"));
        for (String flaw : new String[] {"{}", "[]", "{\"weight_map\": 3}", "{\"weight_map\": {}}", "{\"weight_map\""}) {
            Files.writeString(folder.resolve("model.safetensors.index.json"), flaw);
            refusal();
        }
        index("part.safetensors");
        Checkpoints.open(folder).close();
    }

    @Test
    void aTensorInTwoShardsOrInAnotherThanTheIndexSaysIsRefused() throws IOException {
        write(tensors());
        Path one = Files.move(folder.resolve("model.safetensors"), folder.resolve("one.safetensors"));
        Files.copy(one, folder.resolve("two.safetensors"));
        Path index = folder.resolve("model.safetensors.index.json");
        Files.writeString(index, "{\"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"two.safetensors\"}}");
        assertTrue(refusal().contains("twice"));
        Files.writeString(index,
                "{\"weight_map\": {\"" + Q + "\": \"one.safetensors\", \"lm_head.weight\": \"two.safetensors\"}}");
        safetensors("two.safetensors", new LinkedHashMap<>(Map.of("other.inv_freq", new long[] {1})));
        assertTrue(refusal().contains("in another file than the index says"));
    }

    @Test
    void whatIsNoModelIsNamed() throws IOException {
        assertTrue(refusal().contains("config.json"));
        Files.writeString(folder.resolve("config.json"), CONFIG.toJson());
        assertTrue(refusal().contains("model.safetensors"));
        Files.writeString(folder.resolve("config.json"), CONFIG.toJson().replace("llama", "mamba"));
        assertTrue(refusal().contains("mamba") && refusal().contains(folder.toString()), refusal());
        Files.write(folder.resolve("config.json"), new byte[(1 << 20) + 1]);
        assertTrue(refusal().contains("1048577"));
    }

    @Test
    void aTokenizerGoesToAFolderAndComesBack() throws IOException {
        Path gguf = folder.resolve("tiny.gguf");
        TinyLlama.gguf(1, CONFIG).put("tokenizer.ggml.add_bos_token", true).put("tokenizer.ggml.eos_token_id", 5).write(gguf);
        write(tensors());
        try (Checkpoint file = Checkpoints.open(gguf); Checkpoint copy = Checkpoints.open(folder)) {
            assertTrue(assertThrows(UserException.class, copy::tokenizer).cause().contains("tokenizer.json"));
            TokenizerDefinition definition = file.tokenizer();
            Files.writeString(folder.resolve("tokenizer.json"), definition.json());
            Files.writeString(folder.resolve("tokenizer_config.json"), definition.configJson());
            assertEquals(definition, copy.tokenizer());
            assertEquals(5, copy.tokenizer().eosId());
            TokenizerDefinition neither = new TokenizerDefinition(definition.json(), -1, -1, false);
            Files.writeString(folder.resolve("tokenizer_config.json"), neither.configJson());
            assertEquals(neither, copy.tokenizer());
        }
    }

    @Test
    void documentTokensComeFromWhereHuggingFaceKeepsThem() throws Exception {
        write(tensors());
        Map<String, Object> fixture = Json.object(new String(Fixtures.bytes("tokenizers.json"), StandardCharsets.UTF_8));
        tokenizer(fixture, "llama2");
        assertDocumentTokens(1, -1, true);
        Files.writeString(folder.resolve("config.json"), CONFIG.toJson().replaceFirst("\\{", "{\"eos_token_id\": [2, 7],"));
        assertDocumentTokens(1, 2, true);
        Files.writeString(folder.resolve("tokenizer_config.json"),
                "{\"bos_token\": null, \"eos_token\": {\"content\": \"<unk>\"}, \"add_bos_token\": false}");
        assertDocumentTokens(-1, 0, false);
        tokenizer(fixture, "unigram");
        assertDocumentTokens(-1, 0, false);
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"bos_token\": \"<s>\", \"add_bos_token\": true}");
        assertDocumentTokens(1, 2, true);
        tokenizer(fixture, "llama3");
        assertEquals("<|begin_of_text|>", bos());
        for (String flaw : new String[] {"{\"bos_token\": \"absent\"}", "{\"eos_token\": \"absent\"}", "{"}) {
            tokenizer(fixture, "qwen");
            Files.writeString(folder.resolve("tokenizer_config.json"), flaw);
            try (Checkpoint checkpoint = Checkpoints.open(folder)) {
                assertThrows(UserException.class, checkpoint::tokenizer, flaw);
            }
        }
    }

    private String bos() {
        try (Checkpoint checkpoint = Checkpoints.open(folder); Tokenizer tokenizer = new Tokenizer(checkpoint.tokenizer())) {
            assertTrue(checkpoint.tokenizer().addBos());
            return tokenizer.decode(new int[] {checkpoint.tokenizer().bosId()});
        }
    }

    private void assertDocumentTokens(int bos, int eos, boolean addBos) {
        try (Checkpoint checkpoint = Checkpoints.open(folder)) {
            TokenizerDefinition tokenizer = checkpoint.tokenizer();
            assertEquals(bos + " " + eos + " " + addBos, tokenizer.bosId() + " " + tokenizer.eosId() + " " + tokenizer.addBos());
        }
    }

    private void tokenizer(Map<String, Object> fixture, String kind) throws Exception {
        Map<String, Object> json = Json.asObject(Json.asObject(fixture.get("kinds")).get(kind));
        Files.writeString(folder.resolve("tokenizer.json"), TokenizerJson.write(Json.asObject(json.get("tokenizer"))));
    }

    private static Map<String, long[]> tensors() {
        return new LinkedHashMap<>(LlamaTensors.shapes(CONFIG));
    }

    private Path write(Map<String, long[]> shapes) {
        try {
            Files.writeString(folder.resolve("config.json"), CONFIG.toJson());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        safetensors("model.safetensors", shapes);
        return folder;
    }

    private void safetensors(String name, Map<String, long[]> shapes) {
        WholeSafetensors.write(folder.resolve(name), shapes, Map.of(), tensor ->
                FloatBuffer.allocate((int) Arrays.stream(shapes.get(tensor)).reduce(1, (a, b) -> a * b)));
    }

    /** All tensors in one file. */
    private void index(String file) throws IOException {
        StringBuilder map = new StringBuilder();
        for (String name : tensors().keySet()) {
            map.append(map.length() > 0 ? "," : "").append("\"" + name + "\":\"" + file + "\"");
        }
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\":{" + map + "}}");
    }

    private static String fingerprint(Path folder) {
        try (Checkpoint checkpoint = Checkpoints.open(folder)) {
            return checkpoint.fingerprint();
        }
    }

    private interface Flaw {
        void spoil(Map<String, long[]> shapes);
    }

    private void refused(String word, Flaw flaw) {
        Map<String, long[]> shapes = tensors();
        flaw.spoil(shapes);
        write(shapes);
        assertTrue(refusal().contains(word), refusal());
    }

    private String refusal() {
        return assertThrows(UserException.class, () -> Checkpoints.open(folder)).getMessage();
    }
}
