// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.ModelScore;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.student.Student;
import org.potstill.student.loss.StepLoss;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class StudentInitTest {
    private static final CausalLmConfig FOUR_LAYERS = new CausalLmConfig(320, 64, 128, 4, 4, 2, 16, 256, 1e-5f, 10_000f, true);
    private static final String[] AS_IT_IS = {"train.optimizer=sgd", "train.learning-rate=0", "train.min-learning-rate=0"};

    private static Distillery labelled;
    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeAll
    static void label(@TempDir Path folder) {
        labelled = new Distillery(folder);
        new LabelJob(Distillery.spark(), labelled.settings()).run();
    }

    @BeforeEach
    void copyTheCache() throws IOException {
        distillery = Distillery.withCacheOf(labelled, folder);
    }

    private TrainSummary train(Path init, String... more) {
        List<String> all = new ArrayList<>(List.of("student.init=" + init, "student.hidden-size=64", "student.intermediate-size=128",
                "student.heads=4", "student.kv-heads=2"));
        all.addAll(List.of(more));
        return new TrainJob(Distillery.spark(), distillery.settings(all.toArray(String[]::new))).run();
    }

    private Settings settings(Path init, String... more) {
        List<String> all = new ArrayList<>(List.of("student.init=" + init, "teacher.scratch=" + folder.resolve("scratch")));
        all.addAll(List.of(more));
        return Settings.load(List.of(), all);
    }

    private static UserException error(Runnable job) {
        return Failures.within(assertThrows(Exception.class, job::run)).orElseThrow();
    }

    private float[] logits(Path model, int[] ids) {
        try (Teacher teacher = OnnxTeacher.open(model, new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch")))) {
            return teacher.logits(ids);
        }
    }

    static Stream<CausalLmConfig> families() {
        return Stream.of(FOUR_LAYERS, family(24, false, Variant.PLAIN),
                family(16, false, new Variant(Family.MISTRAL, false, false, 7, List.of(0, 1), List.of())),
                family(16, true, new Variant(Family.QWEN2, true, false, 0, List.of(), List.of())),
                family(32, true, new Variant(Family.QWEN3, false, false, 0, List.of(), List.of())),
                family(16, false, new Variant(Family.OLMO2, false, false, 0, List.of(), List.of())));
    }

    private static CausalLmConfig family(int headDim, boolean tied, Variant variant) {
        return new CausalLmConfig(320, 64, 128, 2, 4, 2, headDim, 512, 1e-5f, 10_000f, tied, variant);
    }

    @ParameterizedTest
    @MethodSource("families")
    void aModelOfAllItsLayersComesInWithItsLogits(CausalLmConfig shape) throws IOException {
        Path model = folder.resolve("model.gguf");
        TinyLlama.write(model, 21, shape);
        Path saved = folder.resolve("hf");
        try (StudentInit init = new StudentInit(settings(model), new Configuration());
                Student student = init.create(init.shape(1000), TrainingSettings.options(init.shaped(), 1), 1)) {
            student.save(saved);
        }
        for (Path source : List.of(model, saved)) {
            assertSameLogits(shape, model, source);
        }
    }

    private void assertSameLogits(CausalLmConfig shape, Path model, Path source) {
        try (StudentInit init = new StudentInit(settings(source), new Configuration())) {
            // Nothing is said of the shape: it is the model's, other than the defaults in all.
            CausalLmConfig config = init.shape(1000);
            assertEquals(shape, config);
            try (Student student = init.create(config, TrainingSettings.options(init.shaped(), 1), 1)) {
                int[] ids = new Random(3).ints(50, 0, 320).toArray();
                float[] expected = logits(model, ids);
                float[] actual = student.logits(ids);
                for (int i = 0; i < expected.length; i++) {
                    assertEquals(expected[i], actual[i], 1e-4);
                }
            }
        }
    }

    @Test
    void trainingBeginsWithTheWeights() throws IOException {
        TinyLlama.write(folder.resolve("four.gguf"), 21, FOUR_LAYERS);
        train(folder.resolve("four.gguf"), concat(AS_IT_IS, "student.layers=2"));
        try (Checkpoint student = Checkpoints.open(distillery.path("student")); Checkpoint four = Checkpoints.open(folder.resolve("four.gguf"))) {
            assertEquals(2, student.config().numHiddenLayers());
            assertArrayEquals(values(four, "model.layers.3.mlp.up_proj.weight"), values(student, "model.layers.1.mlp.up_proj.weight"));
        }
        // All of the teacher itself, and nothing learnt: the teacher.
        train(distillery.teacher(), concat(AS_IT_IS, "student.path=" + folder.resolve("same")));
        ModelScore same = new EvaluateJob(Distillery.spark(), distillery.settings("student.path=" + folder.resolve("same"), "evaluate.speed-tokens=0"))
                .run().heldOut().student();
        assertEquals(0, same.kl().value(), 1e-6);
        assertEquals(1, same.agreement().value());
    }

    private static float[] values(Checkpoint checkpoint, String name) {
        FloatBuffer values = FloatBuffer.allocate((int) Arrays.stream(checkpoint.tensors().get(name)).reduce(1, (a, b) -> a * b));
        checkpoint.read(name, values);
        return values.array();
    }

    @Test
    void aRunThatBeganWithOtherWeightsIsNotGoneOnWith() throws IOException {
        train(distillery.teacher());
        for (String name : List.of("provenance.json", "model.safetensors")) {
            Files.delete(distillery.path("student").resolve(name));
        }
        TinyLlama.write(folder.resolve("other.gguf"), 9);
        assertTrue(error(() -> train(folder.resolve("other.gguf"))).problem().contains("student.init"));
        UserException random = error(() -> new TrainJob(Distillery.spark(), distillery.settings("student.hidden-size=64",
                "student.intermediate-size=128", "student.heads=4", "student.kv-heads=2")).run());
        assertTrue(random.problem().contains("student.init"), random.getMessage());
        assertTrue(train(distillery.teacher()).positions() > 0);
    }

    @Test
    void everyFamilyTrainsAndItsFolderIsThatFamilys() throws IOException {
        for (CausalLmConfig shape : families().skip(1).toList()) {
            String family = shape.variant().family().name().toLowerCase(Locale.ROOT);
            Path model = folder.resolve(family + ".gguf");
            TinyLlama.write(model, 21, shape);
            Path student = folder.resolve("student-" + family);
            List<StepLoss> history = train(model, "student.path=" + student, "train.epochs=2", "student.layers=1").history();
            assertTrue(history.get(history.size() - 1).total() < history.get(0).total(), history.toString());
            JsonNode config = HadoopFolder.JSON.readTree(student.resolve("config.json").toFile());
            assertEquals(family, config.path("model_type").asText());
            assertEquals(512, config.path("max_position_embeddings").asInt());
            try (Checkpoint trained = Checkpoints.open(student)) {
                assertEquals(shape.variant().slidingWindow(), trained.config().variant().slidingWindow());
                assertEquals(shape.tieWordEmbeddings(), trained.config().tieWordEmbeddings());
            }
        }
    }

    @Test
    void aStudentsTableMayBeLongerOrShorterThanTheTeachersWhereBothHoldTheTokens() throws IOException {
        for (int rows : new int[] {305, 350}) {
            Path model = folder.resolve("rows-" + rows + ".gguf");
            TinyLlama.write(model, 3, new CausalLmConfig(rows, 64, 128, 2, 4, 2, 16, 256, 1e-5f, 10_000f, true));
            Path student = folder.resolve("student-" + rows);
            train(model, "student.path=" + student, "train.alpha=1", "train.epochs=2");
            try (Checkpoint trained = Checkpoints.open(student)) {
                assertEquals(rows, trained.config().vocabSize());
                assertEquals(0, trained.tokenizer().eosId());
            }
            Path start = folder.resolve("start-" + rows);
            train(model, "student.path=" + start, "train.optimizer=sgd", "train.learning-rate=0", "train.min-learning-rate=0");
            assertTrue(heldOutKl(student) < heldOutKl(start));
        }
        // Too short for the last tokens.
        TinyLlama.write(folder.resolve("short.gguf"), 3, new CausalLmConfig(290, 64, 128, 2, 4, 2, 16, 256, 1e-5f, 10_000f, true));
        assertTrue(error(() -> train(folder.resolve("short.gguf"))).cause().contains("290"));
    }

    private double heldOutKl(Path student) {
        return new EvaluateJob(Distillery.spark(), distillery.settings("student.path=" + student, "evaluate.speed-tokens=0", "evaluate.texts=0"))
                .run().heldOut().student().kl().value();
    }

    @Test
    void theFirstLayersAreTakenWhereThatIsAskedFor() throws IOException {
        TinyLlama.write(folder.resolve("four.gguf"), 21, FOUR_LAYERS);
        String[] first = concat(AS_IT_IS, "student.layers=2", "student.init-layers=first");
        train(folder.resolve("four.gguf"), first);
        try (Checkpoint student = Checkpoints.open(distillery.path("student")); Checkpoint four = Checkpoints.open(folder.resolve("four.gguf"))) {
            assertArrayEquals(values(four, "model.layers.1.mlp.up_proj.weight"), values(student, "model.layers.1.mlp.up_proj.weight"));
        }
        UserException other = error(() -> train(folder.resolve("four.gguf"), concat(AS_IT_IS, "student.layers=2")));
        assertTrue(other.cause().contains("student.init-layers") && other.cause().contains("evenly-spaced"), other.getMessage());
    }

    @Test
    void whatCannotBeTheBeginningIsRefusedBeforeAnyWork() throws IOException {
        assertTrue(error(() -> train(distillery.teacher(), "student.layers=3")).cause().contains("num_hidden_layers is 2 there"));
        assertTrue(error(() -> train(distillery.teacher(), "student.hidden-size=32")).cause().contains("student.hidden-size"));
        assertTrue(error(() -> train(distillery.teacher(), "student.family=qwen3")).cause().contains("but is llama in the checkpoint"));
        assertTrue(error(() -> train(distillery.teacher(), "student.tie-embeddings=false")).cause().contains("tie-embeddings"));
        assertTrue(error(() -> train(distillery.teacher(), "student.rope-scaling.factor=8")).problem().contains("rope-scaling"));
        assertTrue(error(() -> train(folder.resolve("none.gguf"))).remedy().contains("student.init"));
        TinyLlama.gguf(1, TinyLlama.config()).put("tokenizer.ggml.tokens", swapped()).write(folder.resolve("swapped.gguf"));
        UserException tokens = error(() -> train(folder.resolve("swapped.gguf")));
        assertTrue(tokens.cause().contains("\"A\" is"), tokens.getMessage());
    }

    /** TinyLlama's tokens, two of them in each other's place. */
    private String[] swapped() throws IOException {
        try (Checkpoint tiny = Checkpoints.open(distillery.teacher())) {
            JsonNode vocabulary = HadoopFolder.JSON.readTree(tiny.tokenizer().json()).path("model").path("vocab");
            String[] tokens = new String[vocabulary.size()];
            vocabulary.properties().forEach(token -> tokens[token.getValue().asInt()] = token.getKey());
            List<String> order = Arrays.asList(tokens);
            Collections.swap(order, order.indexOf("A"), order.indexOf("B"));
            return tokens;
        }
    }

    private static String[] concat(String[] some, String... more) {
        List<String> all = new ArrayList<>(List.of(some));
        all.addAll(List.of(more));
        return all.toArray(String[]::new);
    }
}
