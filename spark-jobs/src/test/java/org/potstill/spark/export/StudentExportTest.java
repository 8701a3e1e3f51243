package org.potstill.spark.export;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.spark.Settings;
import org.potstill.spark.cache.CrashingFileSystem;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;

class StudentExportTest {
    @TempDir
    Path folder;
    private Path student;

    @BeforeEach
    void finishAStudent() throws IOException {
        student = folder.resolve("student");
        TinyLlama.write(folder.resolve("teacher.gguf"), 1);
        try (Checkpoint teacher = Checkpoints.open(folder.resolve("teacher.gguf"));
                Student made = Student.create(teacher.config(),
                        TrainingOptions.NONE, 3)) {
            made.save(student);
            Files.writeString(student.resolve("tokenizer.json"), teacher.tokenizer().json());
            Files.writeString(student.resolve("tokenizer_config.json"), teacher.tokenizer().configJson());
            Files.writeString(student.resolve("provenance.json"), "{}");
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

    @Test
    void aKilledExportOfOneFileLeavesNoneOrAWholeOne() throws IOException {
        Configuration hadoop = new Configuration();
        CrashingFileSystem.register(hadoop);
        Path target = Files.createDirectories(folder.resolve("export")).resolve("s.gguf");
        Files.writeString(folder.resolve("export/mine.txt"), "mine");
        int killed = 0;
        boolean ended = false;
        for (int steps = 0; !ended; steps++) {
            CrashingFileSystem.recover();
            export(hadoop).run(order(ExportFormat.GGUF, target));
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
        boolean ended = false;
        int killed = 0;
        for (int steps = 0; !ended; steps++) {
            // Over an older one of the other kind, so that what is left of that could be mistaken, too.
            CrashingFileSystem.recover();
            export.run(order(ExportFormat.ONNX, target));
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
        try (CausalLm model = CausalLm.open(target)) {
            assertEquals(320, model.vocabSize());
        }
    }
}
