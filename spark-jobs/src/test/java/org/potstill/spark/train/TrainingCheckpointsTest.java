// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.commons.io.FileUtils;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.CrashingFileSystem;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.state.ModelState;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.student.Student;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

class TrainingCheckpointsTest {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(37, 8, 20, 1, 4, 2, 2, 64, 1e-5f, 10_000f, true);
    private static final TrainingOptions OPTIONS =
            new TrainingOptions(Objective.of(0.5), 0.01, 0, 10, 0.01, 0.1, 0.9, 0.95, 1e-8, 1, TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.FP32);
    private static final ObjectNode IDENTITY = HadoopFolder.JSON.createObjectNode().put("seed", "42").put("train.workers", "2");

    @TempDir
    private Path folder;
    private Student student;

    @BeforeEach
    void create() {
        CrashingFileSystem.register(configuration());
        student = Student.create(CONFIG, OPTIONS, 1);
    }

    @AfterEach
    void recover() {
        CrashingFileSystem.recover();
        student.close();
    }

    private static Configuration configuration() {
        return Distillery.spark().sparkContext().hadoopConfiguration();
    }

    private TrainingCheckpoints checkpoints(String path) {
        return new TrainingCheckpoints(new HadoopFolder("student", path, configuration()), IDENTITY, 2);
    }

    /** Random numbers that follow from the step. */
    private TrainingCheckpoints.Position position(int step, boolean momentum) {
        Random random = new Random(step);
        ModelState state = new ModelState(random(random, student.parameters().length),
                random(random, student.updaterState().length), random(random, momentum ? student.parameters().length : 0));
        return new TrainingCheckpoints.Position(step / 10, step % 10, copy(student, state),
                IntStream.range(0, step).mapToObj(i -> new StepLoss(random.nextDouble(), random.nextDouble(), 1, i)).toList(),
                random.nextDouble(), Set.of("256-bit", "none"));
    }

    private StateCopy copy(Student student, ModelState state) {
        StateCopy copy = StateCopy.of(student, new OuterOptimizer(state.momentum().length == 0 ? 0 : 0.9, 1), folder).blank();
        StateLayout layout = copy.layout(3);
        for (int i = 0; i < layout.slices(); i++) {
            copy.paste(state.cut(layout, i), layout, i);
        }
        return copy;
    }

    private static float[] random(Random random, int length) {
        float[] values = new float[length];
        for (int i = 0; i < length; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static void assertSame(TrainingCheckpoints.Position expected, TrainingCheckpoints.Position actual) {
        assertEquals(List.of(expected.epoch(), expected.round(), expected.history(), expected.seconds(), expected.simd()),
                List.of(actual.epoch(), actual.round(), actual.history(), actual.seconds(), actual.simd()));
        ModelState expectedState = ModelState.of(expected.state());
        ModelState actualState = ModelState.of(actual.state());
        assertArrayEquals(expectedState.parameters(), actualState.parameters());
        assertArrayEquals(expectedState.updaterState(), actualState.updaterState());
        assertArrayEquals(expectedState.momentum(), actualState.momentum());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void whatIsSavedComesBackToTheBit(boolean momentum) {
        checkpoints(folder.toString()).save(23, position(23, momentum));
        assertSame(position(23, momentum), checkpoints(folder.toString()).resume(OPTIONS, folder).orElseThrow());
        assertTrue(checkpoints(folder.toString()).describeNewest().endsWith("step-00000023"));
    }

    /** A file system that renames, and one that is an object store. */
    @ParameterizedTest
    @ValueSource(strings = {"crash", "objects"})
    void aCrashBetweenAnyTwoStepsLeavesAWholeCheckpointAndNothingThatStays(String scheme) throws Exception {
        for (int step = 1; step <= 2; step++) {
            checkpoints(folder.resolve("prepared").toString()).save(step, position(step, true));
        }
        int steps = 0;
        for (boolean inTime = false; !inTime; steps++) {
            FileUtils.copyDirectory(folder.resolve("prepared").toFile(), folder.resolve("student-" + steps).toFile());
            String path = scheme + "://" + folder.resolve("student-" + steps);
            CrashingFileSystem.crashAfter(steps);
            try {
                checkpoints(path).save(3, position(3, true));
            } catch (UserException e) {
                assertTrue(CrashingFileSystem.crashed(), e::getMessage);
            }
            inTime = !CrashingFileSystem.crashed();
            CrashingFileSystem.recover();

            TrainingCheckpoints.Position found = checkpoints(path).resume(OPTIONS, folder).orElseThrow();
            int step = found.history().size();
            // Committed before the crash, whether or not tidying up came to its end.
            assertTrue(step == 2 || step == 3, step + " after " + steps + " steps");
            assertSame(position(step, true), found);
            checkpoints(path).save(step + 1, position(step + 1, true));
            HadoopFolder left = new HadoopFolder("student", path, configuration()).folder("checkpoints");
            assertEquals(List.of(name(step), name(step + 1)), left.names());
            assertEquals(List.of("config.json", "model.safetensors", "training.json", "updater.safetensors"), left.folder(name(step + 1)).names());
        }
        assertTrue(steps > 8, steps + " steps");
    }

    private static String name(int step) {
        return String.format("step-%08d", step);
    }

    @Test
    void updaterStateOfAnotherStudentIsRefused() throws Exception {
        checkpoints(folder.resolve("one").toString()).save(1, position(1, true));
        CausalLmConfig other = new CausalLmConfig(37, 8, 20, 2, 4, 2, 2, 64, 1e-5f, 10_000f, true);
        try (Student larger = Student.create(other, OPTIONS, 1)) {
            checkpoints(folder.resolve("two").toString()).save(1, new TrainingCheckpoints.Position(0, 1,
                    StateCopy.of(larger, new OuterOptimizer(0, 1), folder), List.of(), 0, Set.of()));
        }
        Files.copy(folder.resolve("two/checkpoints/step-00000001/updater.safetensors"),
                folder.resolve("one/checkpoints/step-00000001/updater.safetensors"), java.nio.file.StandardCopyOption.REPLACE_EXISTING);
        UserException error = assertThrows(UserException.class, () -> checkpoints(folder.resolve("one").toString()).resume(OPTIONS, folder));
        assertTrue(error.getMessage().contains("updater_state does not fit the student"), error.getMessage());
    }

    /** The whole job, cut off from its object store, and started again. */
    @Test
    void aJobThatCrashedGoesOnToTheSameBytes() {
        Distillery distillery = new Distillery(folder);
        new LabelJob(Distillery.spark(), distillery.settings()).run();
        train(distillery, folder.resolve("undisturbed").toString());
        byte[] undisturbed = read(folder.resolve("undisturbed").toString());
        // In the second checkpoint; while the result is written.
        for (int steps : new int[] {14, 32}) {
            String student = "objects://" + folder.resolve("student-" + steps);
            CrashingFileSystem.crashAfter(steps);
            assertThrows(UserException.class, () -> train(distillery, student));
            assertTrue(CrashingFileSystem.crashed());
            CrashingFileSystem.recover();
            train(distillery, student);
            assertArrayEquals(undisturbed, read(student), steps + " steps");
        }
    }

    private static void train(Distillery distillery, String student) {
        new TrainJob(Distillery.spark(), distillery.settings("train.local-steps=8", "train.checkpoint-rounds=1", "train.outer-momentum=0.9",
                "student.path=" + student)).run();
    }

    private static byte[] read(String student) {
        return new HadoopFolder("student", student, configuration()).read("model.safetensors");
    }
}
