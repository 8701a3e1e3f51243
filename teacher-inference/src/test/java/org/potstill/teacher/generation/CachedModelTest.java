// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.onnx.OnnxExport;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.teacher.onnx.CalibrationText;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/** The graph with a cache against the teacher's, whose logits are held against transformers' elsewhere. */
class CachedModelTest {
    private static final int LENGTH = 40;

    @TempDir
    Path folder;

    private TeacherOptions options() {
        return new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch"));
    }

    private static int[] text(int length, int vocabSize) {
        return new Random(length).ints(length, 0, vocabSize).toArray();
    }

    /** The largest between {@code count} rows of two [., V]. */
    private static double difference(float[] full, int fullRow, float[] rows, int from, int count, int vocabSize) {
        double worst = 0;
        for (int i = 0; i < count * vocabSize; i++) {
            worst = Math.max(worst, Math.abs(full[fullRow * vocabSize + i] - rows[from * vocabSize + i]));
        }
        return worst;
    }

    @ParameterizedTest
    @ValueSource(strings = {"untied", "tied", "quantised", "scaled", "qwen2", "qwen3", "llama3-f32", "mistral-bf16",
        "qwen2-f16", "qwen3-f32", "smollm3-windows", "granite", "phi3", "phi3-longrope", "olmo2", "gemma2", "gemma3", "llama-yarn", "mixtral"})
    void everyFamilyReadsTokenByTokenAsItReadsTheWhole(String name) {
        try (Checkpoint model = Checkpoints.open(Fixtures.checkpoint(name, folder)); Teacher teacher = OnnxTeacher.open(model, options());
                CachedSession session = new CachedSession(model.cached(options().scratch()), model.vocabSize(), 2)) {
            int v = model.vocabSize();
            int[] ids = text(LENGTH, v);
            float[] full = teacher.logits(ids);
            for (int t = 0; t < LENGTH; t++) {
                assertEquals(0, difference(full, t, session.read(ids[t]), 0, 1, v), 1e-4, "token " + t);
            }
            assertEquals(LENGTH, session.length());
            session.forget();
            session.read(Arrays.copyOf(ids, 17));
            assertEquals(0, difference(full, LENGTH - 1, session.read(Arrays.copyOfRange(ids, 17, LENGTH)), 0, 1, v), 1e-4, "in two pieces");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tied", "llama3-f32", "mistral-bf16", "qwen2", "qwen3", "smollm3", "olmo2", "gemma2", "gemma3"})
    void theExportedFileGivesTheSameForABatchThatIsPaddedOnTheLeft(String name) throws Exception {
        try (Checkpoint model = Checkpoints.open(Fixtures.checkpoint(name, folder)); Teacher teacher = OnnxTeacher.open(model, options())) {
            CausalLmConfig config = model.config();
            int v = config.vocabSize();
            Path export = Files.createDirectories(folder.resolve("export"));
            OnnxExport.write(model, export);
            assertFalse(Files.exists(export.resolve(OnnxExport.DATA)));
            int[] longer = text(LENGTH, v);
            int[] shorter = text(LENGTH - 9, v);
            float[] logits = batch(export.resolve(OnnxExport.MODEL), config, longer, shorter);
            assertEquals(0, difference(teacher.logits(longer), 0, logits, 0, LENGTH, v), 1e-4);
            assertEquals(0, difference(teacher.logits(shorter), 0, logits, LENGTH + 9, LENGTH - 9, v), 1e-4);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tied", "untied", "scaled", "qwen2", "qwen3", "granite", "olmo2"})
    void theExportIn8BitsIsTheTeacherIn8Bits(String name) throws Exception {
        Path path = Fixtures.checkpoint(name, folder);
        if (Files.isDirectory(path)) {
            try (Checkpoint other = Checkpoints.open(Fixtures.checkpoint("tied", folder))) {
                Files.writeString(path.resolve("tokenizer.json"), other.tokenizer().json());
            }
        }
        try (Checkpoint model = Checkpoints.open(path);
                Teacher eightBits = OnnxTeacher.open(model, options().with(Precision.INT8));
                Teacher reference = OnnxTeacher.open(model, options())) {
            CausalLmConfig config = model.config();
            int v = config.vocabSize();
            Path export = Files.createDirectories(folder.resolve("export"));
            OnnxExport.writeInt8(model, CalibrationText.calibration(model, options()), options().scratch(), export);
            int[] longer = text(LENGTH, v);
            int[] shorter = text(LENGTH - 9, v);
            float[] logits = batch(export.resolve(OnnxExport.MODEL), config, longer, shorter);
            assertEquals(0, difference(eightBits.logits(longer), 0, logits, 0, LENGTH, v), 0.1);
            assertEquals(0, difference(eightBits.logits(shorter), 0, logits, LENGTH + 9, LENGTH - 9, v), 0.1);
            assertNotEquals(0, difference(reference.logits(longer), 0, logits, 0, LENGTH, v), 1e-3);
        }
    }

    /** [2, longer.length, V], row-major. */
    private static float[] batch(Path file, CausalLmConfig config, int[] longer, int[] shorter) throws Exception {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        int time = longer.length;
        long[] ids = new long[2 * time];
        long[] mask = new long[2 * time];
        long[] positions = new long[2 * time];
        int padding = time - shorter.length;
        for (int t = 0; t < time; t++) {
            ids[t] = longer[t];
            mask[t] = 1;
            positions[t] = t;
            ids[time + t] = t < padding ? 3 : shorter[t - padding];
            mask[time + t] = t < padding ? 0 : 1;
            positions[time + t] = t < padding ? 1 : t - padding;
        }
        Map<String, OnnxTensor> inputs = new HashMap<>();
        try (OrtSession session = environment.createSession(file.toString())) {
            inputs.put("input_ids", OnnxTensor.createTensor(environment, LongBuffer.wrap(ids), new long[] {2, time}));
            inputs.put("attention_mask", OnnxTensor.createTensor(environment, LongBuffer.wrap(mask), new long[] {2, time}));
            inputs.put("position_ids", OnnxTensor.createTensor(environment, LongBuffer.wrap(positions), new long[] {2, time}));
            for (String name : session.getInputNames()) {
                if (name.startsWith("past_key_values.")) {
                    inputs.put(name, OnnxTensor.createTensor(environment, FloatBuffer.allocate(0),
                            new long[] {2, config.numKeyValueHeads(), 0, config.headDim()}));
                }
            }
            try (OrtSession.Result result = session.run(inputs)) {
                float[] logits = new float[2 * time * config.vocabSize()];
                ((OnnxTensor) result.get("logits").orElseThrow()).getFloatBuffer().get(logits);
                return logits;
            }
        } finally {
            inputs.values().forEach(OnnxTensor::close);
        }
    }

    @Test
    void anExportedFileIsAModelThatTeachesAndWrites() throws IOException {
        Path source = folder.resolve("tiny.gguf");
        TinyLlama.write(source, 4);
        Path export = Files.createDirectories(folder.resolve("export"));
        try (Checkpoint model = Checkpoints.open(source); Teacher teacher = OnnxTeacher.open(model, options())) {
            OnnxExport.write(model, export);
            Files.writeString(export.resolve("config.json"), model.config().toJson());
            Files.writeString(export.resolve("tokenizer.json"), model.tokenizer().json());
            Files.writeString(export.resolve("tokenizer_config.json"), model.tokenizer().configJson());
            int[] ids = text(LENGTH, 300);
            try (CausalLm exported = Checkpoints.model(export); Teacher again = OnnxTeacher.open(exported, options());
                    CachedSession session = new CachedSession(exported.cached(options().scratch()), exported.vocabSize(), 2)) {
                float[] full = teacher.logits(ids);
                assertEquals(0, difference(full, 0, again.logits(ids), 0, LENGTH, 320), 1e-4);
                assertEquals(0, difference(full, LENGTH - 1, session.read(ids), 0, 1, 320), 1e-4);
                assertEquals(model.tokenizer(), exported.tokenizer());
            }
        }
    }

    @Test
    void aReadyMadeModelOfAnotherArchitectureWritesToo() {
        Path model = Fixtures.file("onnx/gpt2.onnx", folder);
        Fixtures.file("onnx/config.json", folder);
        Fixtures.file("onnx/tokenizer.json", folder);
        try (CausalLm gpt2 = Checkpoints.model(model); Teacher teacher = OnnxTeacher.open(gpt2, options());
                CachedSession session = new CachedSession(gpt2.cached(options().scratch()), gpt2.vocabSize(), 2)) {
            int[] ids = text(20, 304);
            float[] full = teacher.logits(ids);
            session.read(Arrays.copyOf(ids, 11));
            assertEquals(0, difference(full, 19, session.read(Arrays.copyOfRange(ids, 11, 20)), 0, 1, 304), 1e-4);
        }
    }

    @Test
    void aModelWithoutAPastIsRefused() {
        Path model = Fixtures.file("onnx/plain.onnx", folder);
        Fixtures.file("onnx/config.json", folder);
        Fixtures.file("onnx/tokenizer.json", folder);
        try (CausalLm plain = Checkpoints.model(model)) {
            UserException error = assertThrows(UserException.class, () -> plain.cached(options().scratch()));
            assertTrue(error.remedy().contains("text-generation-with-past"), error.getMessage());
        }
    }
}
