// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import onnx.Onnx.GraphProto;
import onnx.Onnx.ModelProto;
import onnx.Onnx.NodeProto;
import onnx.Onnx.StringStringEntryProto;
import onnx.Onnx.TensorProto;
import onnx.Onnx.TensorProto.DataType;
import onnx.Onnx.TypeProto;
import onnx.Onnx.ValueInfoProto;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.shade.protobuf.ByteString;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.errors.UserException;

/** What is said of a model and what is refused; that its scores are right is tested where there is an engine. */
final class OnnxCausalLmTest {
    @TempDir
    Path folder;

    @Test
    void whatAJobAsksOfATeacherIsReadFromTheGraphAndBesideIt() {
        try (CausalLm model = Checkpoints.model(ReadyMade.copy("past", folder))) {
            assertEquals(304, model.vocabSize());
            assertEquals(64, model.maxPositionEmbeddings());
            assertEquals(0, model.tokenizer().bosId());
            assertEquals(0, model.tokenizer().eosId());
            assertFalse(model.tokenizer().addBos());
            try (Tokenizer tokenizer = new Tokenizer(model.tokenizer())) {
                assertTrue(tokenizer.encode("the theory").length > 1);
            }
            // Embedding and head, attention, feed-forward, norms; and a few numbers that the exporter made constants.
            long weights = 2 * 304 * 8 + 8 * (8 + 4 + 4 + 8) + 3 * 8 * 8 + 3 * 8;
            assertTrue(model.parameters() >= weights && model.parameters() < weights + 32, "" + model.parameters());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "past", "half", "merged", "gpt2"})
    void theEditedGraphTakesAndGivesWhatLlamaGraphDoes(String name) throws IOException {
        try (CausalLm model = Checkpoints.model(ReadyMade.copy(name, folder))) {
            for (LlamaGraph.Ending ending : List.of(LlamaGraph.Ending.SCORES, LlamaGraph.Ending.LOGITS)) {
                GraphProto edited = edited(model, ending);
                byte[] llama = LlamaGraph.build(TinyLlama.config(), ending, LlamaGraph.Kernels.PLAIN, Precision.FP32);
                GraphProto ours = ModelProto.parseFrom(llama).getGraph();
                assertEquals(names(ours.getInputList()), names(edited.getInputList()));
                assertEquals(names(ours.getOutputList()), names(edited.getOutputList()));
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "past", "half", "merged", "gpt2"})
    void theHeadIsComputedForWantedPositionsOnly(String name) throws IOException {
        try (CausalLm model = Checkpoints.model(ReadyMade.copy(name, folder))) {
            GraphProto edited = edited(model, LlamaGraph.Ending.LOGITS);
            Map<String, NodeProto> producers = edited.getNodeList().stream()
                    .collect(Collectors.toMap(node -> node.getOutput(0), node -> node, (a, b) -> a));
            NodeProto node = producers.get(LlamaGraph.LOGITS);
            while (Set.of("Identity", "Cast", "Slice").contains(node.getOpType())) {
                node = producers.get(node.getInput(0));
            }
            assertEquals("MatMul", node.getOpType());
            assertEquals("Gather", producers.get(node.getInput(0)).getOpType());
            assertEquals("Flatten", producers.get(producers.get(node.getInput(0)).getInput(0)).getOpType());
        }
    }

    @Test
    void largeWeightsLieInOneAlignedFileAndNotInTheModel() throws IOException {
        for (String name : List.of("plain", "past")) {
            try (CausalLm model = Checkpoints.model(ReadyMade.copy(name, folder))) {
                OnnxModel onnx = model.onnx(LlamaGraph.Ending.SCORES, Precision.FP32, null, folder.resolve("scratch"));
                List<TensorProto> external = ModelProto.parseFrom(onnx.bytes()).getGraph().getInitializerList().stream()
                        .filter(tensor -> tensor.getExternalDataCount() > 0).toList();
                assertEquals(2, external.size());
                for (TensorProto tensor : external) {
                    assertEquals("weights.bin", external(tensor, "location"));
                    assertEquals(0, Long.parseLong(external(tensor, "offset")) % 4096);
                }
                long end = external.stream().mapToLong(t -> Long.parseLong(external(t, "offset"))
                        + Long.parseLong(external(t, "length"))).max().orElseThrow();
                assertEquals(end, Files.size(onnx.weights().resolve("weights.bin")));
            }
        }
    }

    @Test
    void theFingerprintIsOfTheGraphAndItsDataFiles() throws IOException {
        Path file = ReadyMade.copy("past", folder);
        String before = OnnxCausalLm.open(file).fingerprint();
        assertEquals(before, OnnxCausalLm.open(file).fingerprint());
        Path data = folder.resolve("onnx/past.onnx_data");
        byte[] bytes = Files.readAllBytes(data);
        bytes[100] ^= 1;
        Files.write(data, bytes);
        assertNotEquals(before, OnnxCausalLm.open(file).fingerprint());
    }

    @Test
    void aFolderWithSafetensorsIsNoReadyMadeGraph() throws IOException {
        Files.move(ReadyMade.copy("plain", folder), folder.resolve("model.onnx"));
        assertEquals(folder.resolve("model.onnx"), OnnxCausalLm.find(folder).orElseThrow());
        Files.createFile(folder.resolve("model.safetensors"));
        assertTrue(OnnxCausalLm.find(folder).isEmpty());
    }

    @ParameterizedTest
    @ValueSource(strings = {"../past.onnx_data", "/etc/hostname", "..", ".", "sub/past.onnx_data", "C:\\data", "a\u0000b"})
    void dataOutsideTheModelsFolderIsRefused(String location) throws IOException {
        Files.createDirectories(folder.resolve("onnx/sub"));
        for (String place : List.of("past.onnx_data", "onnx/sub/past.onnx_data")) {
            Files.write(folder.resolve(place), Fixtures.bytes("onnx/past.onnx_data"));
        }
        String refusal = refusal("past", graph -> external(graph, "location", location));
        assertTrue(refusal.contains("not a file in its own folder"), refusal);
    }

    @Test
    void aLinkOutOfTheModelsFolderIsRefused() throws IOException {
        Path file = ReadyMade.copy("past", folder);
        Path data = folder.resolve("onnx/past.onnx_data");
        Files.move(data, folder.resolve("elsewhere"));
        Files.createSymbolicLink(data, folder.resolve("elsewhere"));
        assertTrue(refusal(file).contains("not a file in its own folder"));
        Files.delete(data);
        Files.createDirectory(data);
        assertTrue(refusal(file).contains("not a regular file"));
        Files.delete(data);
        assertTrue(refusal(file).contains("past.onnx_data"));
    }

    @Test
    void dataThatIsNotThereOrNotOfTheTensorsSizeIsRefused() throws IOException {
        assertTrue(refusal("past", g -> external(g, "offset", "19000")).contains("truncated"));
        assertTrue(refusal("past", g -> external(g, "offset", "999999999999999999")).contains("truncated"));
        assertTrue(refusal("past", g -> external(g, "offset", "-1")).contains("offset is \"-1\""));
        assertTrue(refusal("past", g -> external(g, "length", "100")).contains("100 bytes of data where"));
        assertTrue(refusal("past", g -> weight(g).setDims(0, 1L << 60)).contains("impossible shape"));
        assertTrue(refusal("past", g -> weight(g).setDims(0, -4)).contains("impossible shape"));
        assertTrue(refusal("past", g -> weight(g).setDataType(DataType.STRING_VALUE)).contains("element type 8"));
        assertTrue(refusal("past", g -> weight(g).addExternalData(entry("offset", "0"))).contains("twice"));
        assertTrue(refusal("plain", g -> weight(g).setDims(0, 5)).contains("bytes of data where"));
    }

    @Test
    void aGraphThatIsNoCausalLanguageModelIsRefusedByWhatItHas() throws IOException {
        assertTrue(refusal("past", g -> g.getOutputBuilder(0).setName("last_hidden_state"))
                .contains("no output logits; its outputs are last_hidden_state, present.0.key"));
        assertTrue(refusal("plain", g -> g.getInputBuilder(0).setName("inputs_embeds"))
                .contains("no input input_ids; its inputs are inputs_embeds"));
        assertTrue(refusal("past", g -> g.getInputBuilder(1).setName("encoder_hidden_states"))
                .contains("asks for an input encoder_hidden_states [batch_size"));
        assertTrue(refusal("past", g -> dimension(g.getInputBuilder(3), 0, 4)).contains("not [batch, …]"));
        assertTrue(refusal("past", g -> dimension(g.getInputBuilder(3), 1, 0)).contains("not [batch, …]"));
        assertTrue(refusal("plain", g -> dimension(g.getInputBuilder(0), 0, 1)).contains("free batch and time"));
        assertTrue(refusal("plain", g -> dimension(g.getOutputBuilder(0), 1, 1)).contains("free batch and time"));
        assertTrue(refusal("plain", g -> dimension(g.getOutputBuilder(0), 2, 300)).contains("300 wide"));
    }

    @Test
    void operatorsThatAreNotOnnxRuntimesAreRefused() throws IOException {
        assertTrue(refusal("plain", g -> g.addNode(NodeProto.newBuilder().setDomain("evil.example").setOpType("Run")))
                .contains("its operator Run is defined by the domain evil.example"));
        assertTrue(refusal("merged", g -> g.getNodeBuilder(0).getAttributeBuilder(0).getGBuilder()
                .addNode(NodeProto.newBuilder().setDomain("inner").setOpType("Run"))).contains("the domain inner"));
        assertTrue(refusal("plain", g -> g.addNode(NodeProto.newBuilder().setOpType("DynamicQuantizeLinear")))
                .contains("works across the whole batch"));
    }

    @Test
    void theTokenizerBesideItSaysWhetherADocumentBeginsWithAToken() throws IOException {
        Path file = ReadyMade.copy("plain", folder);
        assertFalse(OnnxCausalLm.open(file).tokenizer().addBos());
        Files.writeString(folder.resolve("tokenizer_config.json"), "{\"bos_token\": \"!\", \"add_bos_token\": true}");
        assertTrue(OnnxCausalLm.open(file).tokenizer().addBos());
    }

    @Test
    void aModelThatSeesTheWholeTextIsRefused() throws IOException {
        Path file = ReadyMade.copy("plain", folder);
        Files.writeString(folder.resolve("config.json"),
                "{\"architectures\": [\"RobertaForMaskedLM\"], \"max_position_embeddings\": 64}");
        assertTrue(refusal(file).contains("RobertaForMaskedLM"));
        Files.writeString(folder.resolve("config.json"), "{}");
        assertTrue(refusal(file).contains("max_position_embeddings"));
        Files.delete(folder.resolve("config.json"));
        assertTrue(refusal(file).contains("no config.json"));
    }

    @Test
    void aFileAboveTheLimitOfItsFormatIsRefused() throws IOException {
        Path file = folder.resolve("sparse.onnx");
        try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
            sparse.setLength(3L << 30);
        }
        assertTrue(refusal(file).contains("the format is limited to 2 GiB"));
    }

    @Test
    void damagedFilesAreRefusedAndNothingElseHappens() throws IOException {
        Random random = new Random(6);
        int refused = 0;
        for (String name : List.of("plain", "past", "merged", "half", "gpt2")) {
            Path file = ReadyMade.copy(name, folder);
            byte[] whole = Files.readAllBytes(file);
            for (int i = 0; i < 1000; i++) {
                Files.write(file, mutated(whole, random));
                try (CausalLm model = Checkpoints.model(file)) {
                    if (i % 8 == 0) {
                        model.onnx(LlamaGraph.Ending.SCORES, Precision.FP32, null, folder.resolve("scratch"));
                    }
                } catch (UserException e) {
                    refused++;
                }
            }
        }
        assertTrue(refused > 1000 && refused < 5000, refused + " of 5000");
    }

    @Test
    void messagesNestedWithoutEndAreRefused() throws IOException {
        Path file = ReadyMade.copy("plain", folder);
        byte[] groups = new byte[1 << 20];
        Arrays.fill(groups, (byte) 0x0b);
        Files.write(file, groups);
        assertTrue(refusal(file).contains("wire type 3"));
        // graph { node { attribute { g { node { … each one byte tag and a length, from the inside out.
        byte[] nested = new byte[0];
        int[] tags = {0x3a, 0x0a, 0x2a, 0x32};
        for (int depth = 4000; depth >= 0; depth--) {
            int tag = depth == 0 ? 0x3a : tags[1 + (depth - 1) % 3];
            nested = ByteString.copyFrom(new byte[] {(byte) tag})
                    .concat(length(nested.length)).concat(ByteString.copyFrom(nested)).toByteArray();
        }
        Files.write(file, nested);
        assertTrue(refusal(file).contains("nested deeper"));
        // A group inside a message that is copied whole: the unknown field 1 of the model's operator set.
        byte[] set = Arrays.copyOf(groups, 1 << 16);
        Files.write(file, ByteString.copyFrom(new byte[] {0x42}).concat(length(set.length))
                .concat(ByteString.copyFrom(set)).toByteArray());
        assertTrue(refusal(file).contains("not a valid ONNX file"));
    }

    private static ByteString length(int value) {
        var out = ByteString.newOutput();
        for (int rest = value; ; rest >>>= 7) {
            if (rest < 128) {
                out.write(rest);
                return out.toByteString();
            }
            out.write(rest & 127 | 128);
        }
    }

    private static byte[] mutated(byte[] whole, Random random) {
        byte[] bytes = random.nextInt(4) == 0 ? Arrays.copyOf(whole, random.nextInt(whole.length)) : whole.clone();
        if (random.nextInt(50) == 0) {
            random.nextBytes(bytes);
        }
        // What is not weights lies at the beginning and the end.
        for (int flips = random.nextInt(6); flips >= 0 && bytes.length > 0; flips--) {
            int at = random.nextBoolean() ? random.nextInt(bytes.length) : random.nextInt(Math.min(4000, bytes.length));
            bytes[at] = random.nextBoolean() ? (byte) random.nextInt() : (byte) (bytes[at] ^ 1 << random.nextInt(8));
        }
        return bytes;
    }

    private GraphProto edited(CausalLm model, LlamaGraph.Ending ending) throws IOException {
        return ModelProto.parseFrom(model.onnx(ending, Precision.FP32, null, folder.resolve("scratch")).bytes()).getGraph();
    }

    private static List<String> names(List<ValueInfoProto> values) {
        return values.stream().map(ValueInfoProto::getName).toList();
    }

    /** The embedding or the head. */
    private static TensorProto.Builder weight(GraphProto.Builder graph) {
        return graph.getInitializerBuilderList().stream().filter(tensor -> tensor.getDimsList().contains(304L))
                .findFirst().orElseThrow();
    }

    private static String external(TensorProto tensor, String key) {
        return tensor.getExternalDataList().stream().filter(e -> e.getKey().equals(key)).findFirst().orElseThrow().getValue();
    }

    private static void external(GraphProto.Builder graph, String key, String value) {
        TensorProto.Builder tensor = weight(graph);
        List<StringStringEntryProto> others = tensor.getExternalDataList().stream()
                .filter(entry -> !entry.getKey().equals(key)).toList();
        tensor.clearExternalData().addAllExternalData(others).addExternalData(entry(key, value));
    }

    private static StringStringEntryProto entry(String key, String value) {
        return StringStringEntryProto.newBuilder().setKey(key).setValue(value).build();
    }

    private static void dimension(ValueInfoProto.Builder value, int axis, long size) {
        TypeProto.Tensor.Builder tensor = value.getTypeBuilder().getTensorTypeBuilder();
        tensor.getShapeBuilder().getDimBuilder(axis).clearDimParam().setDimValue(size);
    }

    private String refusal(String name, Consumer<GraphProto.Builder> damage) throws IOException {
        Path file = ReadyMade.copy(name, folder);
        ModelProto.Builder model = ModelProto.parseFrom(Files.readAllBytes(file)).toBuilder();
        damage.accept(model.getGraphBuilder());
        Files.write(file, model.build().toByteArray());
        return refusal(file);
    }

    private static String refusal(Path file) {
        return assertThrows(UserException.class, () -> Checkpoints.model(file)).getMessage();
    }
}
