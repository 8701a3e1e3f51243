// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.spark.cache.CrashingFileSystem;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.student.InitialWeights;
import org.potstill.student.LayerChoice;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingOptions;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

class StudentExportTest {
    @TempDir
    Path folder;
    private Path student;

    @BeforeEach
    void finishAStudent() throws IOException {
        student = folder.resolve("student");
        finish(TinyLlama.config());
    }

    private float[] finish(CausalLmConfig config, int... ids) throws IOException {
        TinyLlama.write(folder.resolve("teacher.gguf"), 1, config);
        try (Checkpoint teacher = Checkpoints.open(folder.resolve("teacher.gguf"));
                Student made = Student.create(config, TrainingOptions.NONE, 3)) {
            InitialWeights.copy(teacher, "teacher", made, LayerChoice.EVENLY_SPACED);
            made.save(student);
            Files.writeString(student.resolve("tokenizer.json"), teacher.tokenizer().json());
            Files.writeString(student.resolve("tokenizer_config.json"), teacher.tokenizer().configJson());
            Files.writeString(student.resolve("provenance.json"), "{}");
            return ids.length == 0 ? null : made.logits(ids);
        }
    }

    static Stream<CausalLmConfig> families() {
        return Stream.of(family(24, false, Variant.PLAIN),
                family(16, false, new Variant(Family.MISTRAL, false, false, 7, List.of(0, 1), List.of())),
                family(16, true, new Variant(Family.QWEN2, true, false, 0, List.of(), List.of())),
                family(32, true, new Variant(Family.QWEN3, false, false, 0, List.of(), List.of())),
                family(16, false, new Variant(Family.OLMO2, false, false, 0, List.of(), List.of())));
    }

    private static CausalLmConfig family(int headDim, boolean tied, Variant variant) {
        return new CausalLmConfig(320, 64, 128, 2, 4, 2, headDim, 128, 1e-5f, 10_000f, tied, variant);
    }

    @ParameterizedTest
    @MethodSource("families")
    void exportedLogitsEqualTheStudents(CausalLmConfig config) throws IOException {
        int[] ids = new Random(3).ints(40, 0, 320).toArray();
        float[] expected = finish(config, ids);
        for (ExportFormat format : ExportFormat.values()) {
            boolean file = format == ExportFormat.GGUF;
            if (file && config.variant().slidingWindow() > 0) {
                continue; // Its context ends at the window.
            }
            Path made = folder.resolve(file ? "student.gguf" : format.name());
            export(new Configuration()).run(new StudentExport.Order(format, ExportFormat.Precision.FP32, made.toString(), false, null));
            try (Teacher teacher = OnnxTeacher.open(made, new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch")))) {
                assertArrayEquals(expected, teacher.logits(ids), 1e-4f, format.name());
            }
            if (file) {
                continue;
            }
            JsonNode written = HadoopFolder.JSON.readTree(made.resolve("config.json").toFile());
            String family = config.variant().family().name().toLowerCase(Locale.ROOT);
            assertEquals(family, written.path("model_type").asText());
            assertEquals(family + "forcausallm", written.path("architectures").path(0).asText().toLowerCase(Locale.ROOT));
        }
    }

    @AfterEach
    void recover() {
        CrashingFileSystem.recover();
    }

    private StudentExport export(Configuration hadoop) {
        return new StudentExport(Settings.load(List.of(), List.of("student.path=" + student, "export.max-tokens=16")), hadoop, Optional.empty());
    }

    private static StudentExport.Order order(ExportFormat format, Path target) {
        return new StudentExport.Order(format, null, "crash://" + target, true, null);
    }

    private void restore(String saved, Path target) throws IOException {
        FileUtils.deleteDirectory(target.toFile());
        FileUtils.copyDirectory(folder.resolve(saved).toFile(), target.toFile());
    }

    @Test
    void aKilledExportOfOneFileLeavesNoneOrAWholeOne() throws IOException {
        Configuration hadoop = new Configuration();
        CrashingFileSystem.register(hadoop);
        Path target = Files.createDirectories(folder.resolve("export")).resolve("s.gguf");
        Files.writeString(folder.resolve("export/mine.txt"), "mine");
        export(hadoop).run(order(ExportFormat.GGUF, target));
        FileUtils.copyDirectory(target.getParent().toFile(), folder.resolve("older").toFile());
        int killed = 0;
        boolean ended = false;
        for (int steps = 0; !ended; steps++) {
            CrashingFileSystem.recover();
            restore("older", target.getParent());
            CrashingFileSystem.crashAfter(steps);
            try {
                export(hadoop).run(order(ExportFormat.GGUF, target));
                ended = true;
            } catch (UserException e) {
                assertTrue(CrashingFileSystem.crashed(), e.getMessage());
                killed++;
            }
            if (Files.exists(target)) {
                try (Checkpoint model = Checkpoints.open(target)) {
                    assertEquals(320, model.vocabSize());
                }
            }
        }
        assertTrue(killed > 5, killed + " steps");
        assertEquals("mine", Files.readString(folder.resolve("export/mine.txt")));
    }

    @Test
    void aKilledExportIsNeverTakenForAModelAndTheNextOneMendsIt() throws IOException {
        Configuration hadoop = new Configuration();
        CrashingFileSystem.register(hadoop);
        StudentExport export = export(hadoop);
        Path target = folder.resolve("export");
        // Over an older one of the other kind, so that what is left of that could be mistaken, too.
        export.run(order(ExportFormat.ONNX, folder.resolve("older")));
        boolean ended = false;
        int killed = 0;
        for (int steps = 0; !ended; steps++) {
            CrashingFileSystem.recover();
            restore("older", target);
            CrashingFileSystem.crashAfter(steps);
            try {
                export.run(order(ExportFormat.HF, target));
                ended = true;
            } catch (UserException e) {
                assertTrue(CrashingFileSystem.crashed(), e.getMessage());
                killed++;
            }
            boolean older = Files.exists(target.resolve("model.onnx"));
            if (Files.exists(target.resolve("config.json")) && !older) {
                assertTrue(ended, "after " + steps + " steps");
            }
            if (Files.exists(target.resolve("config.json")) && older) {
                assertFalse(Files.exists(target.resolve("model.safetensors")), "after " + steps + " steps");
            }
        }
        assertTrue(killed > 15, killed + " steps");
        try (Stream<Path> files = Files.list(target)) {
            assertTrue(files.noneMatch(file -> file.getFileName().toString().contains("incoming")));
        }
        assertArrayEquals(Files.readAllBytes(student.resolve("model.safetensors")), Files.readAllBytes(target.resolve("model.safetensors")));
        try (CausalLm model = Checkpoints.model(target)) {
            assertEquals(320, model.vocabSize());
        }
    }
}
