// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.errors.UserException;
import org.potstill.student.decoder.Weights;

class InitialWeightsTest {
    @TempDir
    Path folder;

    private static CausalLmConfig tiny(int layers) {
        return new CausalLmConfig(37, 12, 20, layers, 4, 2, 6, 64, 1e-5f, 10_000f, true);
    }

    @Test
    void layersAreTakenAsDistilBertTakesThem() {
        assertArrayEquals(new int[] {0, 2, 4, 7, 9, 11}, LayerChoice.EVENLY_SPACED.layers(12, 6));
        assertArrayEquals(new int[] {0, 1, 2, 3, 4}, LayerChoice.EVENLY_SPACED.layers(5, 5));
        assertArrayEquals(new int[] {0, 10, 19, 29}, LayerChoice.EVENLY_SPACED.layers(30, 4));
        assertArrayEquals(new int[] {0, 23}, LayerChoice.EVENLY_SPACED.layers(24, 2));
        assertArrayEquals(new int[] {0}, LayerChoice.EVENLY_SPACED.layers(12, 1));
        assertArrayEquals(new int[] {0, 1, 2, 3, 4}, LayerChoice.FIRST.layers(12, 5));
    }

    @Test
    void embeddingsNormsAndEvenlySpacedLayersAreCopied() {
        try (Student teacher = Student.create(tiny(5), Fixtures.adamW(), 1)) {
            teacher.save(folder);
        }
        try (Checkpoint checkpoint = Checkpoints.open(folder); Student student = Student.create(tiny(3), Fixtures.adamW(), 2)) {
            InitialWeights.copy(checkpoint, "teacher", student, LayerChoice.EVENLY_SPACED);
            student.save(folder.resolve("student"));
            try (Checkpoint begun = Checkpoints.open(folder.resolve("student"))) {
                Map<String, String> layers = Map.of("0", "0", "1", "2", "2", "4");
                for (String name : begun.tensors().keySet()) {
                    String[] parts = name.split("\\.");
                    String source = parts[1].equals("layers") ? name.replace("." + parts[2] + ".", "." + layers.get(parts[2]) + ".") : name;
                    assertArrayEquals(values(checkpoint, source), values(begun, name), name);
                }
            }
        }
    }

    @Test
    void aWeightThatIsNotFiniteIsNamed() {
        try (Student teacher = Student.create(tiny(2), Fixtures.adamW(), 1)) {
            teacher.writeParameters(500, FloatBuffer.wrap(new float[] {Float.POSITIVE_INFINITY}));
            teacher.save(folder);
        }
        try (Checkpoint checkpoint = Checkpoints.open(folder); Student student = Student.create(tiny(2), Fixtures.adamW(), 2)) {
            UserException error = assertThrows(UserException.class, () -> InitialWeights.copy(checkpoint, "teacher", student, LayerChoice.FIRST));
            assertTrue(error.cause().contains("model.layers.0.") && error.cause().endsWith("holds Infinity"), error.getMessage());
        }
    }

    @Test
    void aLayersWindowAndItsPartsComeWithIt() {
        CausalLmConfig four = new CausalLmConfig(37, 12, 20, 4, 4, 2, 10, 64, 1e-5f, 10_000f, false,
                new Variant(Family.QWEN3, true, false, 3, List.of(0, 1), List.of()));
        try (Student teacher = Student.create(four, Fixtures.adamW(), 1)) {
            teacher.save(folder);
        }
        try (Checkpoint checkpoint = Checkpoints.open(folder)) {
            for (LayerChoice choice : LayerChoice.values()) {
                int[] chosen = choice == LayerChoice.FIRST ? new int[] {0, 1} : new int[] {0, 3};
                CausalLmConfig two = InitialWeights.shape(four, "teacher", 2, choice);
                assertEquals(choice == LayerChoice.FIRST ? List.of(0, 1) : List.of(0), two.variant().slidingLayers());
                FloatBuffer at = FloatBuffer.wrap(begun(checkpoint, two, choice));
                Weights.shapes(two).forEach((name, shape) -> {
                    float[] begun = new float[(int) Weights.count(shape)];
                    at.get(begun);
                    assertArrayEquals(values(checkpoint, name.replace("layers.1.", "layers." + chosen[1] + ".")), begun, name);
                });
            }
            CausalLmConfig noWindow = InitialWeights.shape(new CausalLmConfig(37, 12, 20, 4, 4, 2, 10, 64, 1e-5f, 10_000f, false,
                    new Variant(Family.QWEN2, true, false, 3, List.of(1), List.of())), "teacher", 2, LayerChoice.EVENLY_SPACED);
            assertEquals(0, noWindow.variant().slidingWindow());
        }
    }

    @Test
    void theOrderOfParametersHoldsEveryTensorOfTheModelOnce() {
        for (CausalLmConfig config : Fixtures.FAMILIES) {
            Map<String, long[]> expected = LlamaTensors.shapes(config);
            Map<String, long[]> ours = Weights.shapes(config);
            assertEquals(expected.keySet(), ours.keySet());
            ours.forEach((name, shape) -> assertArrayEquals(expected.get(name), shape, name));
        }
    }

    private static float[] begun(Checkpoint checkpoint, CausalLmConfig config, LayerChoice choice) {
        try (Student student = Student.uninitialized(config, Fixtures.adamW())) {
            InitialWeights.copy(checkpoint, "teacher", student, choice);
            return student.parameters();
        }
    }

    private static float[] values(Checkpoint checkpoint, String name) {
        FloatBuffer values = FloatBuffer.allocate((int) Weights.count(checkpoint.tensors().get(name)));
        checkpoint.read(name, values);
        return values.array();
    }

    @Test
    void whatDoesNotFitIsRefusedByName() {
        try (Student teacher = Student.create(tiny(2), Fixtures.adamW(), 1)) {
            teacher.save(folder);
        }
        try (Checkpoint checkpoint = Checkpoints.open(folder)) {
            Map<String, CausalLmConfig> misfits = Map.of(
                    "num_hidden_layers", tiny(3),
                    "vocab_size", new CausalLmConfig(38, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true),
                    "hidden_size", new CausalLmConfig(37, 24, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true),
                    "intermediate_size", new CausalLmConfig(37, 12, 21, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true),
                    "num_attention_heads", new CausalLmConfig(37, 12, 20, 2, 2, 2, 6, 64, 1e-5f, 10_000f, true),
                    "num_key_value_heads", new CausalLmConfig(37, 12, 20, 2, 4, 4, 6, 64, 1e-5f, 10_000f, true),
                    "head_dim", new CausalLmConfig(37, 12, 20, 2, 4, 2, 8, 64, 1e-5f, 10_000f, true),
                    "tie_word_embeddings", new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, false),
                    "its family's part", new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true,
                            new Variant(Family.QWEN2, true, false, 0, List.of(), List.of())));
            misfits.forEach((what, config) -> {
                UserException error = assertThrows(UserException.class, () -> begun(checkpoint, config, LayerChoice.EVENLY_SPACED));
                assertTrue(error.cause().startsWith(what), error.getMessage());
            });
        }
    }
}
