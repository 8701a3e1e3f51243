// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.bytedeco.javacpp.Pointer;
import org.deeplearning4j.nn.api.Model;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.layers.EmbeddingSequenceLayer;
import org.deeplearning4j.nn.conf.layers.LSTM;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.RnnOutputLayer;
import org.deeplearning4j.nn.conf.layers.recurrent.Bidirectional;
import org.deeplearning4j.nn.graph.ComputationGraph;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.deeplearning4j.util.ModelSerializer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.nd4j.autodiff.samediff.SDVariable;
import org.nd4j.autodiff.samediff.SameDiff;
import org.nd4j.autodiff.samediff.TrainingConfig;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Adam;
import org.nd4j.linalg.lossfunctions.LossFunctions;
import org.potstill.checkpoints.io.Precision;
import org.potstill.errors.UserException;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.potstill.teacher.scoring.TeacherOptions.Engine;

/** Teachers from SameDiff and Deeplearning4j files, sound and hostile ones. */
final class Nd4jFilesTest {
    private static final int VOCABULARY = 40;
    private static final int WIDTH = 6;

    static {
        Nd4jRuntime.prepare();
    }

    @TempDir
    Path folder;

    @BeforeEach
    void configure() throws IOException {
        Files.writeString(folder.resolve("config.json"), "{\"vocab_size\": 40, \"max_position_embeddings\": 100}");
    }

    private Teacher open(String name, Engine engine) {
        return Teachers.open(folder.resolve(name), new TeacherOptions(engine, Device.AUTO, 0, Precision.FP32, 2, folder));
    }

    private String refusal(String name) {
        return assertThrows(UserException.class, () -> open(name, Engine.ND4J)).getMessage();
    }

    private static int[] text(int length) {
        return new Random(length).ints(length, 0, VOCABULARY).toArray();
    }

    /** Each position adds up the embeddings from the beginning on, or to the end. */
    private void saveSameDiff(String name, DataType ids, boolean fromTheEnd, boolean trained, String input, String output) {
        SameDiff graph = SameDiff.create();
        SDVariable table = graph.var("table", table(VOCABULARY));
        SDVariable embedded = graph.gather(table, graph.placeHolder(input, ids, -1, -1), 0);
        graph.tensorMmul(output, graph.cumsum(embedded, false, fromTheEnd, 1), table, new int[] {2}, new int[] {1});
        if (trained) {
            graph.setTrainingConfig(TrainingConfig.builder().updater(new Adam(0.1)).dataSetFeatureMapping(input)
                    .markLabelsUnused().build());
        }
        graph.save(folder.resolve(name).toFile(), false);
    }

    private static INDArray table(int rows) {
        float[] values = new float[rows * WIDTH];
        Random random = new Random(9);
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return Nd4j.create(values, new long[] {rows, WIDTH}, 'c');
    }

    @Test
    void aSameDiffFileIsATeacher() {
        int[] ids = text(30);
        INDArray table = table(VOCABULARY);
        float[] expected = new float[ids.length * VOCABULARY];
        float[] sum = new float[WIDTH];
        for (int t = 0; t < ids.length; t++) {
            for (int i = 0; i < WIDTH; i++) {
                sum[i] += table.getFloat(ids[t], i);
                for (int v = 0; v < VOCABULARY; v++) {
                    expected[t * VOCABULARY + v] += sum[i] * table.getFloat(v, i);
                }
            }
        }
        for (DataType type : List.of(DataType.INT32, DataType.INT64)) {
            saveSameDiff("sum.fb", type, false, type == DataType.INT32, "input_ids", "logits");
            try (Teacher teacher = open("sum.fb", Engine.ND4J)) {
                assertEquals(VOCABULARY, teacher.vocabSize());
                assertArrayEquals(expected, teacher.logits(ids), 1e-4f);
                ScoredSequence scored = teacher.score(List.of(ids), TargetSpec.topK(5)).get(0);
                assertEquals(29, scored.targets().positions());
            }
        }
    }

    private static Layer lstm() {
        return new LSTM.Builder().nIn(8).nOut(12).activation(Activation.TANH).build();
    }

    private static Layer output(Activation activation) {
        return new RnnOutputLayer.Builder(activation == Activation.SOFTMAX ? LossFunctions.LossFunction.MCXENT
                : LossFunctions.LossFunction.MSE).nIn(12).nOut(VOCABULARY).activation(activation).build();
    }

    private static MultiLayerNetwork layers(Layer middle, Activation activation) {
        MultiLayerNetwork network = new MultiLayerNetwork(new NeuralNetConfiguration.Builder().seed(3)
                .updater(new Adam(0.1)).list()
                .layer(new EmbeddingSequenceLayer.Builder().nIn(VOCABULARY).nOut(8).build())
                .layer(middle).layer(output(activation)).build());
        network.init();
        return network;
    }

    private static ComputationGraph graph() {
        ComputationGraph network = new ComputationGraph(new NeuralNetConfiguration.Builder().seed(4).graphBuilder()
                .addInputs("ids")
                .addLayer("embedding", new EmbeddingSequenceLayer.Builder().nIn(VOCABULARY).nOut(8).build(), "ids")
                .addLayer("lstm", lstm(), "embedding")
                .addLayer("output", output(Activation.SOFTMAX), "lstm").setOutputs("output").build());
        network.init();
        return network;
    }

    private void save(Model network, String name) throws IOException {
        ModelSerializer.writeModel(network, folder.resolve(name).toFile(), true);
    }

    @Test
    void aDeeplearning4jArchiveIsATeacher() throws IOException {
        MultiLayerNetwork layers = layers(lstm(), Activation.SOFTMAX);
        ComputationGraph graph = graph();
        save(layers, "layers.zip");
        save(graph, "graph.zip");
        int[] ids = text(21);
        INDArray input = Nd4j.createFromArray(Arrays.copyOf(ids, 20)).castTo(DataType.FLOAT).reshape(1, 1, 20);
        assertSays(layers.output(input), ids, "layers.zip");
        assertSays(graph.output(input)[0], ids, "graph.zip");
    }

    private void assertSays(INDArray expected, int[] ids, String name) {
        try (Teacher teacher = open(name, Engine.ND4J)) {
            ScoredSequence scored = teacher.score(List.of(ids), TargetSpec.topK(VOCABULARY)).get(0);
            for (int t = 0; t < 20; t++) {
                for (int i = t * VOCABULARY; i < (t + 1) * VOCABULARY; i++) {
                    assertEquals(expected.getFloat(0, scored.targets().ids()[i], t), scored.targets().probabilities()[i], 1e-6);
                }
                assertEquals(Math.log(expected.getFloat(0, ids[t + 1], t)), scored.tokenLogProbabilities()[t], 1e-5);
            }
        }
    }

    @Test
    void logitsOfADeeplearning4jNetworkAreTakenAsSuch() throws IOException {
        MultiLayerNetwork network = layers(lstm(), Activation.IDENTITY);
        save(network, "logits.zip");
        int[] ids = text(9);
        INDArray expected = network.output(Nd4j.createFromArray(ids).castTo(DataType.FLOAT).reshape(1, 1, 9));
        try (Teacher teacher = open("logits.zip", Engine.ND4J)) {
            float[] logits = teacher.logits(ids);
            for (int i = 0; i < logits.length; i++) {
                assertEquals(expected.getFloat(0, i % VOCABULARY, i / VOCABULARY), logits[i], 1e-6);
            }
        }
    }

    @Test
    void aModelThatSeesWhatComesIsRefused() throws IOException {
        saveSameDiff("backwards.fb", DataType.INT32, true, false, "input_ids", "logits");
        assertTrue(refusal("backwards.fb").contains("not causal"));
        save(layers(new Bidirectional(Bidirectional.Mode.ADD, lstm()), Activation.SOFTMAX), "both.zip");
        assertTrue(refusal("both.zip").contains("not causal"));
    }

    @Test
    void aModelOfAnotherShapeIsRefusedByWhatItHas() throws IOException {
        saveSameDiff("names.fb", DataType.INT32, false, false, "tokens", "scores");
        String names = refusal("names.fb");
        assertTrue(names.contains("[tokens]") && names.contains("[scores]"), names);
        Files.writeString(folder.resolve("config.json"), "{\"vocab_size\": 41, \"max_position_embeddings\": 100}");
        saveSameDiff("small.fb", DataType.INT32, false, false, "input_ids", "logits");
        assertTrue(refusal("small.fb").contains("table has 40 rows, fewer than the vocab_size 41"));
        save(layers(lstm(), Activation.SIGMOID), "sigmoid.zip");
        assertTrue(refusal("sigmoid.zip").contains("not softmax or identity"));
        save(layers(lstm(), Activation.SOFTMAX), "other.zip");
        Files.writeString(folder.resolve("config.json"), "{\"vocab_size\": 39, \"max_position_embeddings\": 100}");
        assertTrue(refusal("other.zip").contains("vocab_size"));
        Files.delete(folder.resolve("config.json"));
        assertTrue(refusal("other.zip").contains("config.json"));
    }

    @Test
    void onnxRuntimeIsNotAskedToRunThem() {
        assertTrue(assertThrows(UserException.class, () -> open("model.fb", Engine.ONNX)).remedy().contains("nd4j"));
        assertTrue(assertThrows(UserException.class, () -> open("model.zip", Engine.ONNX)).remedy().contains("nd4j"));
    }

    @Test
    void classesOfOthersAreNeverLoaded() throws IOException {
        save(layers(lstm(), Activation.SOFTMAX), "sound.zip");
        String configuration = new String(entries("sound.zip").get("configuration.json"), StandardCharsets.UTF_8);
        for (String name : List.of("java.net.URLClassLoader", "org.nd4j.shade.jackson.databind.ObjectMapper",
                "org.deeplearning4jx.Layer", "com.evil.Adam", "org.nd4j.Adam;")) {
            Map<String, byte[]> entries = entries("sound.zip");
            String changed = configuration.replace("org.nd4j.linalg.learning.config.Adam", name);
            entries.put("configuration.json", changed.getBytes(StandardCharsets.UTF_8));
            write(entries, "evil.zip");
            assertTrue(refusal("evil.zip").contains("refused to load"), name);
            changed = configuration.replace("\"@class\" : \"org.nd4j.linalg.learning.config.Adam\"",
                    "\"\\u0040class\" : \"" + name + "\", \"@class\" : \"org.nd4j.linalg.learning.config.Adam\"");
            entries.put("configuration.json", changed.getBytes(StandardCharsets.UTF_8));
            write(entries, "evil.zip");
            assertTrue(refusal("evil.zip").contains("refused to load"), name + " twice");
        }
        saveSameDiff("trained.fb", DataType.INT32, false, true, "input_ids", "logits");
        byte[] bytes = Files.readAllBytes(folder.resolve("trained.fb"));
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        assertTrue(text.contains("org.nd4j.linalg.learning.config.Adam"));
        Files.write(folder.resolve("evil.fb"), text.replace("org.nd4j.linalg.learning.config.Adam",
                "org.evil.linalg.learning.config.Adam").getBytes(StandardCharsets.ISO_8859_1));
        assertTrue(refusal("evil.fb").contains("org.evil"));
    }

    @Test
    void anArchiveWithAnythingElseOrLessOrTooMuchIsRefused() throws IOException {
        save(layers(lstm(), Activation.SOFTMAX), "sound.zip");
        for (String name : List.of("normalizer.bin", "preprocessor.bin", "../configuration.json", "a/coefficients.bin")) {
            Map<String, byte[]> entries = entries("sound.zip");
            entries.put(name, new byte[3]);
            write(entries, "evil.zip");
            assertTrue(refusal("evil.zip").contains(name));
        }
        Map<String, byte[]> entries = entries("sound.zip");
        entries.put("updaterState.bin", new byte[50 << 20]);
        write(entries, "evil.zip");
        assertTrue(refusal("evil.zip").contains("grows"));
        entries.put("coefficients.bin", new byte[50 << 20]);
        write(entries, "evil.zip");
        assertTrue(refusal("evil.zip").contains("grows"));
        entries.remove("coefficients.bin");
        entries.remove("updaterState.bin");
        write(entries, "evil.zip");
        assertTrue(refusal("evil.zip").contains("lacks"));
        Files.write(folder.resolve("evil.zip"), new byte[100]);
        assertTrue(refusal("evil.zip").contains("lacks"));
        Files.write(folder.resolve("evil.zip"), Arrays.copyOf(Files.readAllBytes(folder.resolve("sound.zip")), 3000));
        assertTrue(refusal("evil.zip").contains("sound zip"));
    }

    @Test
    void nothingIsAllocatedForParametersThatAreNotThere() throws IOException {
        save(layers(lstm(), Activation.SOFTMAX), "sound.zip");
        for (long length : new long[] {1L << 40, -1, 100}) {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            DataOutputStream out = new DataOutputStream(bytes);
            out.writeUTF("MIXED_DATA_TYPES");
            out.writeLong(6);
            out.writeUTF("LONG");
            for (long word : new long[] {1, length, 1, 8192, 1, 'c'}) {
                out.writeLong(word);
            }
            out.writeUTF("MIXED_DATA_TYPES");
            out.writeLong(length);
            out.writeUTF("FLOAT");
            out.write(new byte[40]);
            Map<String, byte[]> entries = entries("sound.zip");
            entries.put("coefficients.bin", bytes.toByteArray());
            write(entries, "evil.zip");
            assertTrue(refusal("evil.zip").contains("as it has bytes for"));
        }
    }

    @Test
    void aDamagedSameDiffFileIsRefused() throws IOException {
        saveSameDiff("sound.fb", DataType.INT32, false, false, "input_ids", "logits");
        byte[] bytes = Files.readAllBytes(folder.resolve("sound.fb"));
        for (int size : new int[] {0, 3, 40, bytes.length / 2}) {
            Files.write(folder.resolve("cut.fb"), Arrays.copyOf(bytes, size));
            assertTrue(refusal("cut.fb").contains("cut.fb"), size + " bytes");
        }
        Random random = new Random(1);
        for (int round = 0; round < 30; round++) {
            byte[] noise = bytes.clone();
            random.nextBytes(noise);
            Files.write(folder.resolve("noise.fb"), noise);
            refusal("noise.fb");
        }
    }

    @Test
    void aSameDiffArrayHasTheBytesThatItsShapeAsksFor() throws IOException {
        saveSameDiff("sound.fb", DataType.INT32, false, false, "input_ids", "logits");
        assertTrue(withTableShape(2, 1L << 30, WIDTH, WIDTH, 1).contains("too few"));
        assertTrue(withTableShape(2, VOCABULARY, WIDTH, 1 << 20, 1).contains("gaps"));
        assertTrue(withTableShape(2, -1, WIDTH, WIDTH, 1).contains("impossible"));
        assertTrue(withTableShape(20, VOCABULARY, WIDTH, WIDTH, 1).contains("no shape"));
    }

    /** @param shape of the table: rank, dimensions, strides */
    private String withTableShape(long... shape) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(folder.resolve("sound.fb"))).order(ByteOrder.LITTLE_ENDIAN);
        ByteBuffer now = ByteBuffer.allocate(40).order(ByteOrder.LITTLE_ENDIAN);
        now.asLongBuffer().put(new long[] {2, VOCABULARY, WIDTH, WIDTH, 1});
        int found = 0;
        for (int at = 0; at <= bytes.capacity() - 40; at++) {
            if (bytes.slice(at, 40).equals(now)) {
                bytes.slice(at, 40).order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().put(shape);
                found++;
            }
        }
        assertEquals(1, found);
        Files.write(folder.resolve("evil.fb"), bytes.array());
        return refusal("evil.fb");
    }

    @Test
    void memoryOutsideTheHeapIsCollected() throws Exception {
        saveSameDiff("sound.fb", DataType.INT32, false, false, "input_ids", "logits");
        save(layers(lstm(), Activation.SOFTMAX), "sound.zip");
        for (String name : List.of("sound.fb", "sound.zip")) {
            try (Teacher teacher = open(name, Engine.ND4J)) {
                teacher.logits(text(99));
                long before = nativeBytes();
                for (int i = 0; i < 60; i++) {
                    teacher.logits(text(99));
                }
                // Deeplearning4j and SameDiff leave arrays to the garbage collector, 16 kB a pass and more.
                for (int i = 0; i < 100 && nativeBytes() > before + 100_000; i++) {
                    System.gc();
                    Thread.sleep(50);
                }
                assertTrue(nativeBytes() <= before + 100_000, name + ": " + (nativeBytes() - before) + " bytes more");
            }
        }
    }

    private static long nativeBytes() {
        return Nd4j.getEnvironment().getDeviceCouner(0) + Pointer.totalBytes();
    }

    private Map<String, byte[]> entries(String name) throws IOException {
        Map<String, byte[]> entries = new LinkedHashMap<>();
        try (ZipFile zip = new ZipFile(folder.resolve(name).toFile())) {
            for (ZipEntry entry : zip.stream().toList()) {
                entries.put(entry.getName(), zip.getInputStream(entry).readAllBytes());
            }
        }
        return entries;
    }

    private void write(Map<String, byte[]> entries, String name) throws IOException {
        try (OutputStream file = Files.newOutputStream(folder.resolve(name)); ZipOutputStream zip = new ZipOutputStream(file)) {
            for (Map.Entry<String, byte[]> entry : entries.entrySet()) {
                zip.putNextEntry(new ZipEntry(entry.getKey()));
                zip.write(entry.getValue());
            }
        }
    }
}
