// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.spark.Distillery;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.TrainJob;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class ExportAndGenerateTest {
    private static final int[] ENDS = {TinyLlama.END_OF_TEXT, 40, 41};
    private static final String TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
            + "{% if add_generation_prompt %}assistant:{% endif %}";

    @TempDir
    private static Path trained;
    @TempDir
    private Path folder;
    private static Distillery distillery;

    @BeforeAll
    static void train() {
        distillery = new Distillery(trained);
        TinyLlama.gguf(7, TinyLlama.config()).put("tokenizer.chat_template", TEMPLATE).put("tokenizer.ggml.eot_token_id", ENDS[1])
                .put("tokenizer.ggml.eom_token_id", ENDS[2]).write(distillery.teacher());
        Settings settings = distillery.settings("evaluate.speed-tokens=0");
        new LabelJob(Distillery.spark(), settings).run();
        new TrainJob(Distillery.spark(), settings).run();
        new Report(settings, Distillery.spark().sparkContext().hadoopConfiguration()).put("evaluate", new EvaluateJob(Distillery.spark(), settings).run());
    }

    private static PotstillTest.Result export(String format, Path output, String... more) {
        List<String> args = new ArrayList<>(List.of("export", "--set", "student.path=" + distillery.path("student"), "--to", format,
                "--output", output.toString()));
        args.addAll(List.of(more));
        return PotstillTest.run(args.toArray(String[]::new));
    }

    private PotstillTest.Result generate(Path model, String... more) {
        List<String> args = new ArrayList<>(List.of("generate", "--set", "teacher.scratch=" + folder.resolve("scratch"), "--model", model.toString()));
        args.addAll(List.of(more));
        return PotstillTest.run(args.toArray(String[]::new));
    }

    private static List<String> names(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void theHuggingFaceFolderIsTheStudentAndComesBackAsOne() throws IOException {
        PotstillTest.Result result = export("hf", folder.resolve("hf"));
        assertEquals(0, result.status(), result.err());
        assertEquals(List.of("README.md", "config.json", "generation_config.json", "model.safetensors", "provenance.json", "tokenizer.json",
                "tokenizer_config.json"),
                names(folder.resolve("hf")));
        try (Student student = Student.load(distillery.path("student"), TrainingOptions.NONE); Student exported = Student.load(folder.resolve("hf"), TrainingOptions.NONE)) {
            assertEquals(student.config(), exported.config());
            assertArrayEquals(student.parameters(), exported.parameters());
        }
        assertTrue(Files.readString(folder.resolve("hf/tokenizer_config.json")).contains("add_generation_prompt"));
    }

    @Test
    void anExportedFolderIsAStudentToGoOnWith() {
        export("hf", folder.resolve("hf"));
        new TrainJob(Distillery.spark(), distillery.settings("student.init=" + folder.resolve("hf"), "student.path=" + folder.resolve("next"),
                "train.optimizer=sgd", "train.learning-rate=0", "train.min-learning-rate=0")).run();
        try (Student student = Student.load(distillery.path("student"), TrainingOptions.NONE); Student next = Student.load(folder.resolve("next"), TrainingOptions.NONE)) {
            assertArrayEquals(student.parameters(), next.parameters());
        }
    }

    @Test
    void theModelCardTellsWhatItIsAndNotWhereItWasMade() throws IOException {
        export("hf", folder.resolve("hf"));
        String card = Files.readString(folder.resolve("hf/README.md"));
        assertTrue(card.startsWith("---\nlibrary_name: transformers\n"), card);
        assertTrue(card.contains("teacher.gguf") && card.contains("| perplexity |") && card.contains("top-8"), card);
        assertFalse(card.contains(trained.toString()) || card.contains(trained.getFileName().toString()), card);
    }

    @Test
    void onnxRuntimeRunsTheExportedFileToTheStudentsLogits() throws Exception {
        assertEquals(0, export("onnx", folder.resolve("onnx")).status());
        int[] ids = new Random(1).ints(31, 0, 320).toArray();
        try (Student student = Student.load(distillery.path("student"), TrainingOptions.NONE);
                OrtSession session = OrtEnvironment.getEnvironment().createSession(folder.resolve("onnx/model.onnx").toString())) {
            float[] expected = student.logits(ids);
            Past past = new Past(session, student.config().numKeyValueHeads(), student.config().headDim());
            assertClose(expected, past.read(ids), 0);
            past = new Past(session, student.config().numKeyValueHeads(), student.config().headDim());
            for (int t = 0; t < ids.length; t++) {
                assertClose(expected, past.read(ids[t]), t * 320);
            }
        }
    }

    private static void assertClose(float[] expected, float[] actual, int from) {
        for (int i = 0; i < actual.length; i++) {
            assertEquals(expected[from + i], actual[i], 1e-4);
        }
    }

    /** The plain way to go on with a graph that keeps keys and values. */
    private static final class Past {
        private final OrtSession session;
        private final Map<String, OnnxTensor> kept = new LinkedHashMap<>();
        private int length;

        Past(OrtSession session, long heads, long headDim) throws OrtException {
            this.session = session;
            for (String name : session.getInputNames()) {
                if (name.startsWith("past")) {
                    kept.put(name, OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), FloatBuffer.allocate(0), new long[] {1, heads, 0, headDim}));
                }
            }
        }

        float[] read(int... ids) throws OrtException {
            Map<String, OnnxTensor> inputs = new LinkedHashMap<>(kept);
            inputs.put("input_ids", longs(Arrays.stream(ids).asLongStream()));
            inputs.put("attention_mask", longs(LongStream.range(0, length + ids.length).map(i -> 1)));
            inputs.put("position_ids", longs(LongStream.range(length, length + ids.length)));
            OrtSession.Result result = session.run(inputs);
            kept.replaceAll((name, old) -> (OnnxTensor) result.get(name.replace("past_key_values", "present")).orElseThrow());
            length += ids.length;
            float[] logits = new float[ids.length * 320];
            ((OnnxTensor) result.get("logits").orElseThrow()).getFloatBuffer().get(logits);
            return logits;
        }

        private static OnnxTensor longs(LongStream values) throws OrtException {
            long[] all = values.toArray();
            return OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), LongBuffer.wrap(all), new long[] {1, all.length});
        }
    }

    @Test
    void allTokensThatEndATextAreInTheStudentsFolderAndInEveryExport() {
        for (String format : List.of("hf", "onnx", "gguf")) {
            Path target = folder.resolve(format + "-export.gguf");
            assertEquals(0, export(format, target).status());
            try (CausalLm model = Checkpoints.model(target)) {
                assertEquals(List.of(ENDS[0], ENDS[1], ENDS[2]), model.tokenizer().stopIds(), format);
            }
        }
        try (CausalLm student = Checkpoints.model(distillery.path("student"))) {
            assertEquals(List.of(ENDS[0], ENDS[1], ENDS[2]), student.tokenizer().stopIds());
        }
        for (Path place : List.of(distillery.path("student"), folder.resolve("hf-export.gguf"))) {
            for (String file : List.of("config.json", "generation_config.json")) {
                assertEquals(List.of(0, 40, 41), ends(place.resolve(file)));
            }
        }
    }

    private static List<Integer> ends(Path file) {
        try {
            List<Integer> ids = new ArrayList<>();
            HadoopFolder.JSON.readTree(file.toFile()).get("eos_token_id").forEach(id -> ids.add(id.asInt()));
            return ids;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void theGgufFileIsTheStudentRoundedToHalves() throws IOException {
        Path file = folder.resolve("out/s.gguf");
        PotstillTest.Result result = export("gguf", file);
        assertEquals(0, result.status(), result.err());
        assertEquals(List.of("s.README.md", "s.gguf", "s.provenance.json"), names(folder.resolve("out")));
        int[] ids = new Random(1).ints(31, 0, 300).toArray();
        try (Student student = Student.load(distillery.path("student"), TrainingOptions.NONE);
                Teacher read = Teachers.open(file, new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch")))) {
            float[] expected = student.logits(ids);
            float[] actual = read.logits(ids);
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], actual[i], 0.02);
            }
        }
        String[] greedy = {"--prompt", "the still", "--max-new-tokens", "20", "--temperature", "0"};
        assertEquals(generate(distillery.path("student"), greedy).out(), generate(file, greedy).out());
    }

    @Test
    void eachExportSaysHowFarItIsFromTheStudentAndOnWhat() throws IOException {
        String[][] kinds = {{"hf", "fp32", "1e-9"}, {"onnx", "fp32", "1e-9"}, {"onnx", "int8", "0.01"}, {"gguf", "fp32", "1e-9"},
            {"gguf", "f16", "1e-5"}, {"gguf", "q8_0", "0.001"}};
        Path text = folder.resolve("other.txt");
        Files.writeString(text, "the weather and the still of the night ".repeat(20));
        double last = 0;
        for (String[] kind : kinds) {
            boolean file = kind[0].equals("gguf");
            Path target = folder.resolve(kind[0] + "-" + kind[1] + (file ? ".gguf" : ""));
            PotstillTest.Result result = export(kind[0], target, "--precision", kind[1], "--text", text.toString());
            assertEquals(0, result.status(), result.err());
            String stem = kind[0] + "-" + kind[1];
            JsonNode json = HadoopFolder.JSON.readTree((file ? folder.resolve(stem + ".provenance.json") : target.resolve("provenance.json")).toFile())
                    .path("export");
            String card = Files.readString(file ? folder.resolve(stem + ".README.md") : target.resolve("README.md"));
            double kl = json.path("kl_to_student").asDouble(-1);
            assertTrue(kl >= 0 && kl < Double.parseDouble(kind[2]), stem + " " + kl);
            assertEquals(kind[1], json.path("precision").asText());
            assertEquals("other.txt", json.path("measured_on").asText());
            for (String said : List.of(result.out(), card)) {
                assertTrue(said.contains("KL to the student") && said.contains(json.path("positions").asInt() + " positions of other.txt"), said);
            }
            last = kl;
        }
        assertTrue(last > 0);
        PotstillTest.Result builtIn = export("hf", folder.resolve("built-in"));
        assertTrue(builtIn.out().contains("calibration text of Potstill"), builtIn.out());
    }

    @Test
    void withACorpusTheHeldOutDocumentsAreWhatExportsAreComparedOn() {
        PotstillTest.Result result = export("gguf", folder.resolve("s.gguf"), "--set", "corpus.path=" + distillery.corpus(), "--set",
                "corpus.holdout=0.9", "--set", "sequence-length=32", "--set", "export.max-tokens=100");
        assertEquals(0, result.status(), result.err());
        // Three sequences of documents that were held out then, whatever corpus.holdout is now.
        assertTrue(result.out().contains(" 96 positions of held-out documents of corpus"), result.out());
    }

    @Test
    void anExportIsNoStudentsFolder() {
        export("hf", folder.resolve("hf"));
        PotstillTest.Result result = PotstillTest.run("export", "--set", "student.path=" + folder.resolve("hf"), "--to", "hf", "--output",
                folder.resolve("again").toString());
        assertEquals(2, result.status());
        assertTrue(result.err().contains("student.init"), result.err());
    }

    @Test
    void whatAFormatDoesNotKnowIsRefusedBeforeAnythingIsWritten() {
        for (String[] bad : new String[][] {{"hf", "out", "--precision", "f16"}, {"onnx", "out", "--precision", "q8_0"}, {"gguf", "out"},
            {"gguf", "out/.gguf"}, {"hf", "out", "--text", "absent.txt"}}) {
            PotstillTest.Result result = export(bad[0], folder.resolve(bad[1]), Arrays.copyOfRange(bad, 2, bad.length));
            assertEquals(2, result.status(), String.join(" ", bad));
            assertTrue(result.err().contains("remedy:"), result.err());
            assertFalse(Files.exists(folder.resolve("out/config.json")));
        }
    }

    @Test
    void whatIsThereIsReplacedOnRequestOnlyAndWithNothingLeftOfIt() throws IOException {
        Path target = folder.resolve("target");
        export("hf", target);
        PotstillTest.Result refused = export("onnx", target);
        assertEquals(2, refused.status());
        assertTrue(refused.err().contains("--overwrite"), refused.err());
        Files.writeString(target.resolve("notes.txt"), "mine");
        assertEquals(0, export("onnx", target, "--overwrite").status());
        assertEquals(List.of("README.md", "config.json", "generation_config.json", "model.onnx", "notes.txt", "provenance.json", "tokenizer.json",
                "tokenizer_config.json"),
                names(target));
        assertEquals(2, export("hf", distillery.path("student"), "--overwrite").status());
        Path theirs = Files.createDirectories(distillery.path("theirs"));
        Files.writeString(theirs.resolve("config.json"), "precious");
        assertEquals(2, export("hf", theirs, "--overwrite").status());
        assertEquals("precious", Files.readString(theirs.resolve("config.json")));
        assertTrue(Files.exists(distillery.path("student").resolve("provenance.json")));
    }

    @Test
    void aStudentThatIsNotFinishedIsNotExported() {
        PotstillTest.Result result = PotstillTest.run("export", "--set", "student.path=" + folder.resolve("none"), "--to", "hf", "--output",
                folder.resolve("out").toString());
        assertEquals(2, result.status());
        assertTrue(result.err().contains("potstill train"), result.err());
    }

    @Test
    void studentAndExportsWriteTheSameText() {
        export("hf", folder.resolve("hf"));
        export("onnx", folder.resolve("onnx"));
        String[] greedy = {"--prompt", "the still", "--max-new-tokens", "20", "--temperature", "0"};
        PotstillTest.Result student = generate(distillery.path("student"), greedy);
        assertEquals(0, student.status(), student.err());
        assertTrue(student.err().contains("tokens/s"), student.err());
        assertFalse(student.out().isBlank());
        assertEquals(student.out(), generate(folder.resolve("hf"), greedy).out());
        assertEquals(student.out(), generate(folder.resolve("onnx"), greedy).out());
    }

    @Test
    void theSameSeedWritesTheSameAndThePromptMayComeFromTheStandardInput() {
        String[] seven = {"--prompt", "the", "--seed", "7", "--max-new-tokens", "30", "--temperature", "2", "--top-p", "1"};
        String[] eight = seven.clone();
        eight[3] = "8";
        String[] piped = seven.clone();
        piped[1] = "-";
        String text = generate(distillery.teacher(), seven).out();
        assertEquals(text, generate(distillery.teacher(), seven).out());
        assertNotEquals(text, generate(distillery.teacher(), eight).out());
        InputStream in = System.in;
        try {
            System.setIn(new ByteArrayInputStream("the".getBytes(StandardCharsets.UTF_8)));
            assertEquals(text, generate(distillery.teacher(), piped).out());
        } finally {
            System.setIn(in);
        }
    }

    @Test
    void specialTokensOfAPromptAreReadAsSuchUnlessItIsPlainText() {
        String[] prompt = {"--prompt", "<|endoftext|>1790", "--max-new-tokens", "1", "--temperature", "0"};
        assertTrue(generate(distillery.teacher(), prompt).err().contains("5 tokens read"), generate(distillery.teacher(), prompt).err());
        String plain = generate(distillery.teacher(), "--plain-text", prompt[0], prompt[1], prompt[2], prompt[3]).err();
        assertFalse(plain.contains(" 5 tokens read") || plain.startsWith("5 tokens read"), plain);
    }

    @Test
    void aConversationGoesThroughTheTemplateThatTheStudentHasOfItsTeacher() {
        String[] chat = {"--chat", "--system", "S", "--prompt", "hi", "--temperature", "0", "--max-new-tokens", "10"};
        PotstillTest.Result result = generate(distillery.path("student"), chat);
        assertEquals(0, result.status(), result.err());
        // "system: S" and "user: hi", the end after each, and "assistant:".
        assertTrue(result.err().contains(" tokens read"), result.err());
        assertNotEquals(result.out(), generate(distillery.path("student"), "--prompt", "hi", "--temperature", "0", "--max-new-tokens", "10").out());
    }

    @Test
    void whatMeansNothingIsRefused() {
        for (String[] bad : new String[][] {{"--prompt", ""}, {"--prompt", "a", "--system", "S"}, {"--prompt", "a", "--chat", "--plain-text"}, {"--prompt", "a", "--max-new-tokens", "0"},
            {"--prompt", "a", "--top-p", "0"}, {"--prompt", "a".repeat(2000)}}) {
            PotstillTest.Result result = generate(distillery.teacher(), bad);
            assertEquals(2, result.status(), String.join(" ", bad));
            assertTrue(result.err().contains("remedy:"), result.err());
        }
        assertTrue(generate(folder.resolve("nothing"), "--prompt", "a").err().contains("cannot read the model"));
    }

    @Test
    void pathsOfOptionsAreCheckedAsThoseOfSettingsAre() {
        for (String path : List.of("abfs://container@account/model", "~/model", "C:\\model", "")) {
            for (PotstillTest.Result result : List.of(PotstillTest.run("generate", "--model", path, "--prompt", "a"),
                    PotstillTest.run("export", "--set", "student.path=" + distillery.path("student"), "--to", "hf", "--output", path))) {
                assertEquals(2, result.status(), result.err());
                assertTrue(result.err().matches("(?s)potstill: .*'?--(model|output).*remedy:.*"), result.err());
            }
        }
    }

    @Test
    void aStudentInTrainingIsNoModelYet() throws IOException {
        Files.createDirectories(folder.resolve("half/checkpoints/step-00000001"));
        assertTrue(generate(folder.resolve("half"), "--prompt", "a").err().contains("training run that did not finish"));
    }

    @Test
    void generationEndsWhenNobodyReadsItsText() throws IOException {
        PrintStream out = System.out;
        PipedInputStream reader = new PipedInputStream();
        try (PrintStream closed = new PrintStream(new PipedOutputStream(reader), true, StandardCharsets.UTF_8)) {
            reader.close();
            System.setOut(closed);
            assertEquals(2, Potstill.run("generate", "--set", "teacher.scratch=" + folder.resolve("scratch"), "--model", distillery.teacher().toString(), "--prompt", "a"));
        } finally {
            System.setOut(out);
        }
    }
}
