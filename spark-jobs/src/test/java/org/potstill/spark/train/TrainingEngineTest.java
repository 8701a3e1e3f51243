// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.commons.io.FileUtils;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.errors.UserException;
import org.potstill.spark.Distillery;
import org.potstill.spark.Failures;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.settings.Settings;
import org.potstill.student.loss.StepLoss;

/** {@code train.engine = onnx}, on ONNX Runtime's CPU provider. */
class TrainingEngineTest {
    @TempDir
    private Path folder;
    private Distillery distillery;

    @BeforeEach
    void label() {
        distillery = new Distillery(folder);
        new LabelJob(Distillery.spark(), distillery.settings()).run();
    }

    private TrainSummary train(String student, String... overrides) {
        Settings settings = distillery.settings(overrides).with("student.path", folder.resolve(student).toString()).with("train.epochs", "3");
        return new TrainJob(Distillery.spark(), settings).run();
    }

    private byte[] weights(String student) throws IOException {
        return Files.readAllBytes(folder.resolve(student).resolve("model.safetensors"));
    }

    private JsonNode provenance(String student) throws IOException {
        return new ObjectMapper().readTree(folder.resolve(student).resolve("provenance.json").toFile());
    }

    @Test
    void bothEnginesTrainTheSame() throws IOException {
        String[] decays = {"train.final-alpha=0.1", "train.loss=jsd", "train.local-steps=3"};
        List<StepLoss> expected = train("dl4j", decays).history();
        List<StepLoss> history = train("onnx", Stream.concat(Stream.of(decays), Stream.of("train.engine=onnx")).toArray(String[]::new)).history();
        assertEquals(expected.size(), history.size());
        for (int i = 0; i < history.size(); i++) {
            assertEquals(expected.get(i).total(), history.get(i).total(), 1e-4, "step " + i);
            assertEquals(expected.get(i).kl(), history.get(i).kl(), 1e-4, "step " + i);
            assertEquals(expected.get(i).positions(), history.get(i).positions());
        }
        double moved = Math.abs(history.get(history.size() - 1).crossEntropy() - history.get(0).crossEntropy());
        assertTrue(moved > 0.1, "the test proves nothing if the student hardly changed: " + moved);
        assertEquals("onnx", provenance("onnx").path("identity").path("train.engine").asText());
        assertEquals("onnx", provenance("onnx").path("training").path("simd").path(0).asText());
        assertFalse(provenance("dl4j").path("identity").has("train.engine"), "as in students from before there was train.engine");
    }

    @Test
    void aRunThatWasStoppedGoesOnToTheSameBytes() throws IOException {
        train("undisturbed", "train.engine=onnx");
        train("stopped", "train.engine=onnx", "train.checkpoint-rounds=1", "train.keep-checkpoints=100");
        assertArrayEquals(weights("undisturbed"), weights("stopped"));
        Path student = folder.resolve("stopped");
        for (String name : List.of("provenance.json", "model.safetensors")) {
            Files.delete(student.resolve(name));
        }
        List<Path> checkpoints;
        try (Stream<Path> files = Files.list(student.resolve("checkpoints"))) {
            checkpoints = files.sorted(Comparator.naturalOrder()).toList();
        }
        for (Path later : checkpoints.subList(checkpoints.size() / 2, checkpoints.size())) {
            FileUtils.deleteDirectory(later.toFile());
        }
        UserException error = Failures.within(assertThrows(Exception.class, () -> train("stopped"))).orElseThrow();
        assertTrue(error.getMessage().contains("made with another train.engine"), error.getMessage());
        train("stopped", "train.engine=onnx", "train.checkpoint-rounds=1", "train.keep-checkpoints=100");
        assertArrayEquals(weights("undisturbed"), weights("stopped"));
    }

    @Test
    void whatTheEngineLacksIsRefusedBeforeAnyWork() {
        for (String setting : List.of("train.optimizer=sgd", "train.gradient-checkpointing=true")) {
            UserException refused = assertThrows(UserException.class, () -> TrainJob.check(distillery.settings("train.engine=onnx", setting)));
            assertTrue(refused.getMessage().contains(setting.substring(0, setting.indexOf('='))), refused.getMessage());
        }
    }

    @Test
    void aStepThatDivergesIsNamed() {
        UserException error = Failures.within(assertThrows(Exception.class,
                () -> train("student", "train.engine=onnx", "train.learning-rate=100", "train.max-loss-beyond-chance=1"))).orElseThrow();
        assertTrue(error.getMessage().contains("step "), error.getMessage());
    }
}
