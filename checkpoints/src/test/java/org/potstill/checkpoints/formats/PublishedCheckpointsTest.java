// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.gguf.GgmlNames;
import org.potstill.checkpoints.formats.gguf.GgufWriter;
import org.potstill.checkpoints.formats.onnx.ReadyMade;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;

/** Models as people publish and save them: read where that is right, and otherwise refused for what they are. */
final class PublishedCheckpointsTest {
    private static final CausalLmConfig TIED = new CausalLmConfig(320, 16, 24, 1, 2, 1, 8, 64, 1e-5f, 10_000f, true);
    private static final CausalLmConfig UNTIED = TIED.untied();
    private static final String Q = LlamaTensors.layer(0, "self_attn.q_proj");

    @TempDir
    Path folder;

    /** A tensor of a type that is not written otherwise. */
    private record Extra(String name, String type, int bytes) {
    }

    private void write(CausalLmConfig config, UnaryOperator<String> rename, Extra... extras) throws IOException {
        Files.writeString(folder.resolve("config.json"), config.toJson());
        StringBuilder header = new StringBuilder();
        ByteArrayOutputStream data = new ByteArrayOutputStream();
        LlamaTensors.shapes(config).forEach((name, shape) -> {
            int elements = (int) Arrays.stream(shape).reduce(1, (a, b) -> a * b);
            ByteBuffer values = ByteBuffer.allocate(elements * 4).order(ByteOrder.LITTLE_ENDIAN);
            values.asFloatBuffer().put(values(name, elements));
            entry(header, rename.apply(name), "F32", Arrays.toString(shape), data.size(), elements * 4);
            data.writeBytes(values.array());
        });
        for (Extra extra : extras) {
            int bytes = extra.type.endsWith("64") ? 8 : extra.type.endsWith("32") ? 4 : 1;
            entry(header, extra.name, extra.type, "[" + extra.bytes / bytes + "]", data.size(), extra.bytes);
            data.writeBytes(new byte[extra.bytes]);
        }
        byte[] text = ("{" + header.substring(1) + "}").getBytes(StandardCharsets.UTF_8);
        ByteBuffer file = ByteBuffer.allocate(8 + text.length + data.size()).order(ByteOrder.LITTLE_ENDIAN);
        Files.write(folder.resolve("model.safetensors"), file.putLong(text.length).put(text).put(data.toByteArray()).array());
    }

    private static void entry(StringBuilder header, String name, String type, String shape, int begin, int bytes) {
        header.append(",\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":" + shape + ",\"data_offsets\":[" + begin + "," + (begin + bytes) + "]}");
    }

    private static float[] values(String name, int elements) {
        float[] values = new float[elements];
        for (int i = 0; i < elements; i++) {
            values[i] = name.length() + i;
        }
        return values;
    }

    private void assertRead(CausalLmConfig config) {
        try (Checkpoint checkpoint = Checkpoints.open(folder)) {
            assertEquals(config, checkpoint.config());
            for (String name : List.of(Q, LlamaTensors.EMBEDDING, LlamaTensors.FINAL_NORM)) {
                int elements = (int) Arrays.stream(LlamaTensors.shapes(config).get(name)).reduce(1, (a, b) -> a * b);
                FloatBuffer read = FloatBuffer.allocate(elements);
                checkpoint.read(name, read);
                assertArrayEquals(values(name, elements), read.array(), name);
            }
        }
    }

    private UserException refusal() {
        return refusal(folder);
    }

    private static UserException refusal(Path path) {
        UserException e = assertThrows(UserException.class, () -> Checkpoints.model(path));
        assertFalse(e.getMessage().contains("fetch or export the file again"), e.getMessage());
        assertFalse(e.getMessage().contains("Exception") || e.getMessage().contains("Variant["), e.getMessage());
        return e;
    }

    private void assertRefused(String cause, String remedy) {
        UserException e = refusal();
        assertTrue(e.cause().contains(cause), e.getMessage());
        assertTrue(e.remedy().contains(remedy), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"_orig_mod.", "module.", "module._orig_mod.", "_fsdp_wrapped_module.", "language_model.", "model."})
    void whatWrapsAModelLeavesNoTraceInItsNames(String prefix) throws IOException {
        write(UNTIED, name -> prefix + name);
        assertRead(UNTIED);
    }

    @Test
    void namesInsideAreUnwrappedToo() throws IOException {
        write(TIED, name -> name.replace("layers.0.", "layers.0._orig_mod."));
        assertRead(TIED);
        write(UNTIED, name -> name.replaceFirst("^model\\.", "model.language_model."));
        assertRead(UNTIED);
    }

    @Test
    void aBaseModelIsReadWhereItsHeadIsItsEmbeddingTable() throws IOException {
        write(TIED, name -> name.replaceFirst("^model\\.", ""));
        assertRead(TIED);
        Files.writeString(folder.resolve("config.json"), UNTIED.toJson());
        assertRefused("base model", "ForCausalLM");
    }

    @Test
    void twoNamesForOneTensorAreRefused() throws IOException {
        write(TIED, name -> name, new Extra("module." + Q, "F32", 4));
        assertTrue(refusal().problem().contains("twice"));
    }

    @Test
    void savedBuffersArePassedBy() throws IOException {
        write(TIED, name -> name, new Extra("model.layers.0.self_attn.rotary_emb.cos_cached", "F32", 64),
                new Extra("model.layers.0.self_attn.rotary_emb.sin_cached", "F32", 64), new Extra("model.rotary_emb.inv_freq", "F32", 16),
                new Extra("model.layers.0.self_attn.masked_bias", "F32", 4), new Extra("model.layers.0.attn.bias", "U8", 9),
                new Extra("model.position_ids", "I64", 64), new Extra("model.layers.0.self_attn.causal_mask", "BOOL", 9));
        assertRead(TIED);
    }

    @Test
    void aModelThatAlsoSeesIsReadAsTheLanguageModelInIt() throws IOException {
        write(UNTIED, name -> "language_model." + name, new Extra("vision_tower.patch.weight", "F32", 8),
                new Extra("multi_modal_projector.linear_1.bias", "F32", 4));
        Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"llava\", \"vision_config\": {}, \"text_config\": " + UNTIED.toJson() + "}");
        assertRead(UNTIED);
        Files.writeString(folder.resolve("config.json"), "{\"model_type\": \"gemma3n\", \"text_config\": {\"model_type\": \"gemma3n_text\"}}");
        assertRefused("gemma3n_text", "ONNX");
    }

    @ParameterizedTest
    @CsvSource({"model.layers.0.self_attn.q_proj.lora_A.weight,F32,adapter,merge", "model.layers.0.mlp.up_proj.qweight,I32,quantised,GGUF",
        "model.layers.0.mlp.up_proj.weight_scale_inv,F32,quantised,quantised from", "model.layers.0.mlp.up_proj.weight.absmax,U8,quantised,quantised from",
        "model.layers.0.self_attn.q_proj.bias,F32,attention_bias,config.json",
        "model.layers.0.mlp.experts.0.up_proj.weight,F32,not supported,ONNX",
        "vision_tower2.weight,F32,not supported,ONNX"})
    void aTensorTooManySaysWhatItBelongsTo(String name, String type, String cause, String remedy) throws IOException {
        write(TIED, n -> n, new Extra(name, type, 8));
        assertRefused(cause, remedy);
    }

    @ParameterizedTest
    @CsvSource({"F64,dtype float32", "F8_E4M3,bfloat16", "I8,quantised from"})
    void weightsOfOtherTypesSayHowToGetThem(String type, String remedy) throws IOException {
        write(TIED, name -> name);
        byte[] file = Files.readAllBytes(folder.resolve("model.safetensors"));
        String text = new String(file, StandardCharsets.ISO_8859_1);
        int bytes = type.equals("F64") ? 8 : 1;
        String norm = "\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[16]";
        String other = "\"model.norm.weight\":{\"dtype\":\"" + type + "\",\"shape\":[" + 64 / bytes + "]";
        String changed = text.replace(norm, other);
        ByteBuffer sized = ByteBuffer.wrap(changed.getBytes(StandardCharsets.ISO_8859_1)).order(ByteOrder.LITTLE_ENDIAN);
        sized.putLong(0, sized.getLong(0) + other.length() - norm.length());
        Files.write(folder.resolve("model.safetensors"), sized.array());
        UserException e = refusal();
        assertTrue(e.remedy().contains(remedy), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"gemma", "phimoe", "qwen2_moe", "gpt2", "gpt_oss", "mamba", "deepseek_v2"})
    void otherArchitecturesAreSentToOnnx(String architecture) throws IOException {
        write(TIED, name -> name);
        Files.writeString(folder.resolve("config.json"), TIED.toJson().replace("\"llama\"", "\"" + architecture + "\""));
        assertRefused("model_type) is " + architecture, "optimum-cli export onnx");
        Path onnx = Files.writeString(Files.createDirectories(folder.resolve("onnx")).resolve("model.onnx"), "");
        assertRefused(architecture, onnx.toString());
    }

    @Test
    void whatChangesTheForwardPassIsSentToOnnxAndWhatIsUnsoundIsNot() throws IOException {
        write(TIED, name -> name);
        for (String scaling : List.of("ntk", "proportional")) {
            Files.writeString(folder.resolve("config.json"), TIED.toJson().replace("\"mlp_bias\": false",
                    "\"rope_scaling\": {\"rope_type\": \"" + scaling + "\", \"factor\": 4.0}"));
            assertRefused(scaling, "ONNX");
        }
        Files.writeString(folder.resolve("config.json"), TIED.toJson().replace("\"hidden_size\": 16", "\"hidden_size\": \"many\""));
        assertRefused("hidden_size", "config.json");
    }

    @ParameterizedTest
    @CsvSource({"bitsandbytes,dequantize()", "fp8,dequantize=True", "gptq,quantised from", "awq,quantised from", "compressed-tensors,Q8_0"})
    void aQuantisedFolderIsNamedAndItsRemedyIsItsOwn(String method, String remedy) throws IOException {
        write(TIED, name -> name);
        Files.writeString(folder.resolve("config.json"), TIED.toJson().replaceFirst("\\{",
                "{\"quantization_config\": {\"quant_method\": \"" + method + "\", \"bits\": 4},"));
        assertRefused(method, remedy);
        assertFalse(refusal().getMessage().contains("bits="), refusal().getMessage());
    }

    @ParameterizedTest
    @CsvSource({"a PyTorch checkpoint, save_pretrained, 504b0304000008080000000000000000000000000000000000000a001800612f646174612e706b6c46421400",
        "a Python pickle, save_pretrained, 80028a0a6cfc9c46f9206aa850192e80024de903", "a GGML model, convert_llama_ggml_to_gguf.py, 746a676703000000007d0000",
        "a GGML model, GGUF file, 6c6d6767007d0000", "ONNX Runtime's own format, the ONNX file, 180000004f52544d00000000",
        "an HDF5 file, from_tf, 894844460d0a1a0a0000000000000000", "gzip, unpack it, 1f8b0800000000000003", "a zip archive, unpack it, 504b030414000000080000",
        "zlib, unpack it, 789cab562a49ad2851b25250cacf4b55aae502002cdd04ec",
        "a web page, hf download, 3c21444f43545950452068746d6c3e3c68746d6c3e4c6f6720696e3c2f68746d6c3e"})
    void aFileOfAnotherFormatIsNamedWhateverItIsCalled(String named, String remedy, String bytes) throws IOException {
        write(TIED, name -> name);
        for (String name : List.of("m.bin", "m.gguf", "m.ort", "m.pt", "m.onnx", "model.safetensors")) {
            Path file = folder.resolve(name);
            Files.write(file, HexFormat.of().parseHex(bytes));
            UserException e = assertThrows(UserException.class, () -> Checkpoints.model(name.equals("model.safetensors") ? folder : file));
            assertTrue(e.cause().contains(named) && e.remedy().contains(remedy), name + ": " + e.getMessage());
            if (!name.equals("model.safetensors")) {
                Files.delete(file);
            }
        }
        if (named.equals("a web page")) {
            Files.write(folder.resolve("config.json"), HexFormat.of().parseHex(bytes));
            assertRefused(named, remedy);
        }
    }

    @Test
    void codeBesideTheWeightsIsNotRunAndThatIsSaid() throws IOException {
        write(TIED, name -> name);
        try (CausalLm model = Checkpoints.model(folder)) {
            assertEquals("", model.warning());
        }
        Files.writeString(folder.resolve("config.json"), TIED.toJson().replaceFirst("\\{",
                "{\"auto_map\": {\"AutoModelForCausalLM\": \"modeling_own.OwnForCausalLM\"},"));
        try (CausalLm model = Checkpoints.model(folder)) {
            assertTrue(model.warning().contains("auto_map") && model.warning().contains("not run") && model.warning().contains("llama"), model.warning());
        }
    }

    @Test
    void foldersWithoutWeightsToReadAreNamedForWhatTheyAre() throws IOException {
        assertRefused("empty", "download the model");
        Files.writeString(folder.resolve("tokenizer.json"), "{}");
        assertRefused("no config.json", "config.json");
        Files.writeString(folder.resolve("config.json"), TIED.toJson());
        assertRefused("no model.safetensors", "safetensors");
        Files.writeString(folder.resolve("model-00001-of-00002.safetensors"), "");
        assertRefused("model.safetensors.index.json", "download model.safetensors.index.json");
        Files.writeString(folder.resolve("pytorch_model-00001-of-00002.bin"), "");
        assertRefused("PyTorch's pickle format", "safe_serialization=True");
        Files.delete(folder.resolve("pytorch_model-00001-of-00002.bin"));
        Files.writeString(folder.resolve("consolidated.safetensors"), "");
        assertRefused("original authors' format", "model.safetensors");
        Files.writeString(folder.resolve("model-Q4_K_M.gguf"), "");
        assertRefused("model-Q4_K_M.gguf", "give the path of it");
        Files.writeString(folder.resolve("adapter_config.json"), "{\"base_model_name_or_path\": \"meta/base-1b\"}");
        assertRefused("adapter (LoRA) of meta/base-1b", "merge_and_unload");
    }

    @Test
    void aShardThatTheIndexNamesIsToBeFetchedToo() throws IOException {
        write(TIED, name -> name);
        Files.move(folder.resolve("model.safetensors"), folder.resolve("model-00001-of-00002.safetensors"));
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\": {\"" + Q + "\": \"model-00001-of-00002.safetensors\", "
                + "\"lm_head.weight\": \"model-00002-of-00002.safetensors\"}}");
        assertRefused("names it", "download model-00002-of-00002.safetensors");
    }

    @Test
    void aFolderOfModelsNamesThem() throws IOException {
        Path snapshot = Files.createDirectories(folder.resolve("snapshots/0123abcd"));
        Files.writeString(snapshot.resolve("config.json"), TIED.toJson());
        assertRefused(snapshot.toString(), "give the path of it");
        Files.createDirectories(folder.resolve("checkpoint-500"));
        Files.writeString(folder.resolve("checkpoint-500/config.json"), TIED.toJson());
        assertRefused("checkpoint-500", "one of these");
    }

    /** Makes a folder that can be read, with every file that a model is read from. */
    private void writeAll() throws IOException {
        write(TIED, name -> name);
        Files.move(folder.resolve("model.safetensors"), folder.resolve("model-1.safetensors"));
        Files.writeString(folder.resolve("model.safetensors.index.json"), "{\"weight_map\": {\"" + Q + "\": \"model-1.safetensors\"}}");
        Files.writeString(folder.resolve("tokenizer.json"), "{\"model\": {\"vocab\": {\"a\": 0}}, \"added_tokens\": []}");
        Files.writeString(folder.resolve("tokenizer_config.json"), "{}");
        Files.writeString(folder.resolve("generation_config.json"), "{}");
        Files.writeString(folder.resolve("chat_template.jinja"), "");
    }

    private static void open(Path path) {
        try (CausalLm model = Checkpoints.model(path)) {
            model.tokenizer();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"config.json", "model-1.safetensors", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json",
        "generation_config.json", "chat_template.jinja"})
    void aPointerInPlaceOfAnyFileIsNamed(String name) throws IOException {
        writeAll();
        open(folder);
        assertPointersAreNamed(folder, folder.resolve(name));
    }

    @ParameterizedTest
    @ValueSource(strings = {"onnx/past.onnx", "onnx/past.onnx_data", "config.json", "tokenizer.json"})
    void aPointerInPlaceOfAnyFileOfAGraphIsNamed(String name) throws IOException {
        Path model = ReadyMade.copy("past", folder);
        open(model);
        assertPointersAreNamed(model, folder.resolve(name));
    }

    @Test
    void aPointerInPlaceOfAGgufFileIsNamed() throws IOException {
        Path file = Files.writeString(folder.resolve("model.gguf"), "");
        assertPointersAreNamed(file, file);
    }

    private static void assertPointersAreNamed(Path model, Path file) throws IOException {
        Files.writeString(file, """
                version https://git-lfs.github.com/spec/v1
                oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
                size 12345
                """);
        assertNamed(model, file, "Git LFS pointer", "git lfs pull");
        String key = "SHA256E-s12345--4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        Files.writeString(file, "/annex/objects/" + key + "\n");
        assertNamed(model, file, "git-annex pointer", "git annex get");
        Files.writeString(file, "../../.git/annex/objects/Qq/Zz/" + key + "/" + key);
        assertNamed(model, file, "git-annex pointer", "git annex get");
        Files.writeString(file, "outs:\n- md5: 4d7a\n  size: 12345\n  path: " + file.getFileName() + "\n");
        assertNamed(model, file, "DVC pointer", "dvc pull");
        Files.delete(file);
        Files.createSymbolicLink(file, Path.of(".git/annex/objects/Qq/Zz", key, key));
        assertNamed(model, file, "it is a link to .git/annex/objects", "git annex get");
        Files.delete(file);
        Files.createSymbolicLink(file, Path.of("../../blobs/4d7a"));
        assertNamed(model, file, "it is a link to ../../blobs/4d7a, which does not exist", "cp -rL");
    }

    private static void assertNamed(Path model, Path file, String cause, String remedy) {
        UserException e = assertThrows(UserException.class, () -> open(model));
        assertTrue(e.problem().contains(file.toString()) && e.cause().contains(cause) && e.remedy().contains(remedy), e.getMessage());
    }

    @Test
    void anAdapterBesideWholeWeightsIsNotIgnored() throws IOException {
        write(TIED, name -> name);
        Files.writeString(folder.resolve("adapter_config.json"), "{\"base_model_name_or_path\": \"meta/base-1b\"}");
        assertRefused("adapter (LoRA) of meta/base-1b", "remove adapter_config.json");
    }

    @Test
    void layersBeyondTheConfigurationsAreRefused() throws IOException {
        CausalLmConfig two = new CausalLmConfig(320, 16, 24, 2, 2, 1, 8, 64, 1e-5f, 10_000f, true);
        write(two, name -> name);
        Files.writeString(folder.resolve("config.json"), TIED.toJson());
        assertRefused("ends with layer 0", "config.json");
        Path gguf = folder.resolve("two.gguf");
        TinyLlama.gguf(1, two).put("llama.block_count", 1).write(gguf);
        assertTrue(refusal(gguf).cause().contains("ends with layer 0"), refusal(gguf).getMessage());
    }

    @Test
    void aTokenizerWithMoreIdsThanTheTableHasRowsIsRefused() throws IOException {
        CausalLmConfig few = new CausalLmConfig(200, 16, 24, 1, 2, 1, 8, 64, 1e-5f, 10_000f, true);
        Path gguf = folder.resolve("few.gguf");
        TinyLlama.gguf(1, few).write(gguf);
        assertNamed(gguf, gguf, "has the id 200 but the model's embedding has 200 rows", "use the tokenizer");
        write(few, name -> name);
        Path tokenizer = Files.writeString(folder.resolve("tokenizer.json"), "{\"model\": {\"vocab\": {\"a\": 0, \"b\": 200}}}");
        assertNamed(folder, tokenizer, "has the id 200 but the model's embedding has 200 rows", "use the tokenizer");
    }

    @ParameterizedTest
    @CsvSource({"pytorch_model.bin,safe_serialization", "model.pth,safe_serialization", "tf_model.h5,from_tf", "config.json,folder",
        "model.gguf.part2of3,cat", "model.gguf-split-b,cat", "model.safetensors,folder", "model.q4,GGUF or ONNX"})
    void aFileThatIsNoModelIsNamedForWhatItIs(String name, String remedy) throws IOException {
        Path file = Files.writeString(folder.resolve(name), "some bytes that are no model");
        UserException e = refusal(file);
        assertTrue(e.remedy().contains(remedy), e.getMessage());
    }

    @ParameterizedTest
    @CsvSource({"adapter,llama-export-lora", "mmproj,language model", "imatrix,of a model"})
    void aGgufFileThatIsNoModelIsNamedForWhatItIs(String type, String remedy) {
        Path file = folder.resolve("other.gguf");
        TinyLlama.gguf(1, TIED).put("general.type", type).write(file);
        assertTrue(refusal(file).remedy().contains(remedy));
        GgufWriter vocabulary = TinyLlama.gguf(1, TIED);
        LlamaTensors.shapes(TIED).keySet().forEach(name -> vocabulary.removeTensor(new GgmlNames(TIED).ggml(name)));
        vocabulary.write(file);
        assertTrue(refusal(file).cause().contains("a tokenizer and no weights"));
        TinyLlama.gguf(1, TIED).put("general.architecture", "gemma3n").write(file);
        assertTrue(refusal(file).remedy().contains("ONNX"));
    }

    @Test
    void metadataOfAGgufFileIsNotBlamedOnAConfigJson() {
        Path file = folder.resolve("odd.gguf");
        for (Map.Entry<String, Integer> wrong : Map.of("llama.attention.head_count", 3, "llama.attention.head_count_kv", 0,
                "llama.context_length", 0, "llama.embedding_length", -1).entrySet()) {
            TinyLlama.gguf(1, UNTIED).put(wrong.getKey(), wrong.getValue()).write(file);
            assertTrue(refusal(file).problem().contains(file.toString()), refusal(file).getMessage());
            assertFalse(refusal(file).getMessage().contains("config.json"), refusal(file).getMessage());
        }
    }

    @Test
    void aPathThatLeadsNowhereSaysSo() {
        assertEquals("there is no such file", refusal(folder.resolve("absent")).cause());
    }

    /** As llama-gguf-split makes them: the first part has the metadata. */
    private List<Path> split(boolean emptyFirst) throws IOException {
        Map<String, long[]> shapes = new LinkedHashMap<>();
        LlamaTensors.shapes(TIED).forEach((name, shape) -> shapes.put(new GgmlNames(TIED).ggml(name), shape));
        int parts = emptyFirst ? 3 : 2;
        List<Path> files = new ArrayList<>();
        for (int i = 0; i < parts; i++) {
            GgufWriter part = i == 0 ? TinyLlama.gguf(1, TIED) : new GgufWriter();
            part.put("split.no", i).put("split.count", parts).put("split.tensors.count", shapes.size());
            int place = 0;
            for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
                boolean here = (emptyFirst ? place % 2 + 1 : place % 2) == i;
                place++;
                if (i == 0 && !here) {
                    part.removeTensor(tensor.getKey());
                } else if (here) {
                    int elements = (int) Arrays.stream(tensor.getValue()).reduce(1, (a, b) -> a * b);
                    part.tensor(tensor.getKey(), tensor.getValue(), values(tensor.getKey(), elements));
                }
            }
            files.add(folder.resolve(String.format("tiny-%05d-of-%05d.gguf", i + 1, parts)));
            part.write(files.get(i));
        }
        return files;
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aSplitModelIsReadByAnyOfItsParts(boolean emptyFirst) throws IOException {
        List<Path> parts = split(emptyFirst);
        String fingerprint = null;
        for (Path part : parts) {
            try (Checkpoint checkpoint = Checkpoints.open(part)) {
                assertEquals(TIED, checkpoint.config());
                FloatBuffer read = FloatBuffer.allocate(16);
                for (String name : List.of(LlamaTensors.layer(0, "input_layernorm"), LlamaTensors.layer(0, "post_attention_layernorm"))) {
                    checkpoint.read(name, read.clear());
                    assertArrayEquals(values(new GgmlNames(TIED).ggml(name), 16), read.array());
                }
                assertTrue(fingerprint == null || fingerprint.equals(checkpoint.fingerprint()));
                fingerprint = checkpoint.fingerprint();
                assertEquals(parts.stream().mapToLong(file -> file.toFile().length()).sum(), checkpoint.storedBytes());
                assertEquals(TinyLlama.END_OF_TEXT, checkpoint.tokenizer().eosId());
            }
        }
    }

    @Test
    void aPartThatIsMissingRenamedOrOfAnotherModelIsNamed() throws IOException {
        List<Path> parts = split(false);
        byte[] second = Files.readAllBytes(parts.get(1));
        Files.delete(parts.get(1));
        UserException missing = refusal(parts.get(0));
        assertTrue(missing.problem().contains("tiny-00002-of-00002.gguf is missing"), missing.getMessage());
        assertTrue(missing.remedy().contains("same folder"), missing.getMessage());
        Path renamed = Files.write(folder.resolve("second.gguf"), second);
        assertTrue(refusal(renamed).remedy().contains("llama-gguf-split --merge"));
        Files.copy(parts.get(0), parts.get(1));
        assertTrue(assertThrows(UserException.class, () -> Checkpoints.model(parts.get(0))).cause().contains("not part 2 of 2"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"decoder_model_merged", "decoder_model", "model_quantized", "model_fp16", "model_q4"})
    void aGraphIsFoundByTheNamesThatExportersGive(String name) throws IOException {
        Path file = ReadyMade.copy("plain", folder);
        Path renamed = Files.move(file, file.resolveSibling(name + ".onnx"));
        try (CausalLm model = Checkpoints.model(folder)) {
            assertEquals(ReadyMade.VOCABULARY, model.vocabSize());
        }
        Files.copy(renamed, folder.resolve("onnx/model_int8.onnx"));
        if (name.startsWith("decoder")) {
            Checkpoints.model(folder).close();
        } else {
            assertRefused("model_int8.onnx", "one of these");
        }
    }
}
