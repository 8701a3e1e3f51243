// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.errors.UserException;
import org.potstill.student.options.TrainingOptions;

/** Students that begin with the tiny models that transformers made, against what transformers makes of these. */
class TransformersLogitsTest {
    private static final int VOCABULARY = 304;
    /** The fixtures keep every eighth position. */
    private static final int EVERY = 8;

    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"untied", "tied", "quantised", "kquants", "scaled", "qwen2", "qwen3", "llama3-f32", "mistral-bf16", "qwen2-f16",
        "qwen3-f32", "smollm3", "smollm3-windows", "granite", "phi3", "phi3-longrope", "olmo2", "gemma2", "gemma3", "llama-linear", "qwen3-yarn",
        "llama-yarn", "ggml-granite", "ggml-phi3"})
    void aStudentOfAnyFamilyHasTheLogitsOfTransformers(String name) {
        int[] ids = Arrays.stream(new String(bytes(name + ".ids"), StandardCharsets.US_ASCII).trim().split(" "))
                .mapToInt(Integer::parseInt).toArray();
        try (Checkpoint checkpoint = Checkpoints.open(org.potstill.checkpoints.Fixtures.checkpoint(name, folder))) {
            CausalLmConfig config = InitialWeights.shape(checkpoint.config(), name, checkpoint.config().numHiddenLayers(),
                    LayerChoice.EVENLY_SPACED);
            try (Student student = Student.create(config, TrainingOptions.NONE, 0)) {
                InitialWeights.copy(checkpoint, name, student, LayerChoice.EVENLY_SPACED);
                float[] logits = student.logits(ids);
                assertExpected(name, logits);
                student.save(folder.resolve("saved"));
                try (Student saved = Student.load(folder.resolve("saved"), TrainingOptions.NONE)) {
                    assertArrayEquals(logits, saved.logits(ids));
                }
            }
        }
    }

    @Test
    void aMixtureOfExpertsCanOnlyTeach() {
        try (Checkpoint checkpoint = Checkpoints.open(org.potstill.checkpoints.Fixtures.checkpoint("qwen3-moe", folder))) {
            UserException e = assertThrows(UserException.class, () -> StudentMemory.parameters(checkpoint.config()));
            assertTrue(e.cause().contains("can only teach"), e.getMessage());
        }
    }

    private static void assertExpected(String name, float[] logits) {
        FloatBuffer expected = ByteBuffer.wrap(bytes(name + ".logits")).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        double scale = 0;
        double worst = 0;
        for (int i = 0; i < expected.limit(); i++) {
            int row = i / VOCABULARY * EVERY + EVERY - 1;
            scale = Math.max(scale, Math.abs(expected.get(i)));
            worst = Math.max(worst, Math.abs(expected.get(i) - logits[row * VOCABULARY + i % VOCABULARY]));
        }
        assertEquals(0, worst / scale, 2e-5);
    }

    private static byte[] bytes(String name) {
        return org.potstill.checkpoints.Fixtures.bytes(name);
    }
}
