// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.gguf.GgufWriter;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.LogitDivergence;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.potstill.teacher.scoring.TeacherOptions.Engine;
import org.potstill.teacher.scoring.TokenBatch;

/** FP32 is the oracle of what is computed in other numbers. */
final class PrecisionTest {
    @TempDir
    Path folder;

    private TeacherOptions options(Precision precision) {
        return new TeacherOptions(Engine.ONNX, Device.CPU, 0, precision, 2, folder.resolve("scratch"));
    }

    private static int[] sequence(int length, int vocabSize, long seed) {
        return new Random(seed).ints(length, 0, vocabSize).toArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"tied", "untied", "qwen2", "qwen3", "scaled"})
    void eightBitsAreNearToSinglePrecision(String fixture) {
        requireNear(Fixtures.file(fixture + ".gguf", folder), 0.003);
    }

    @Test
    void aModelOfAShortContextIsCalibratedWithinIt() {
        Path file = folder.resolve("short.gguf");
        TinyLlama.write(file, 5, new CausalLmConfig(320, 64, 128, 2, 4, 2, 16, 40, 1e-5f, 10_000f, true));
        try (Checkpoint checkpoint = Checkpoints.open(file); OnnxTeacher eightBits = OnnxTeacher.open(checkpoint, options(Precision.INT8))) {
            assertEquals(40 * 320, eightBits.logits(sequence(40, 320, 3)).length);
        }
    }

    @Test
    void channelsFarLargerThanTheOthersAreTamed() {
        CausalLmConfig config = TinyLlama.config();
        float[] gain = new float[config.hiddenSize()];
        for (int i = 0; i < gain.length; i++) {
            gain[i] = i % 16 == 3 ? 60 : 1;
        }
        Path file = folder.resolve("outliers.gguf");
        GgufWriter gguf = TinyLlama.gguf(5, config).tensor("blk.1.attn_norm.weight", new long[] {gain.length}, gain);
        // The weights undo the gains, as in trained models: what comes out is neither large nor small.
        Random random = new Random(8);
        for (String part : List.of("q", "k", "v")) {
            float[] rows = new float[(part.equals("q") ? 64 : 32) * gain.length];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = (float) (random.nextGaussian() / 8 / gain[i % gain.length]);
            }
            gguf.tensor("blk.1.attn_" + part + ".weight", new long[] {rows.length / gain.length, gain.length}, rows);
        }
        gguf.write(file);
        requireNear(file, 0.004);
    }

    private void requireNear(Path file, double limit) {
        try (Checkpoint checkpoint = Checkpoints.open(file);
                OnnxTeacher reference = OnnxTeacher.open(checkpoint, options(Precision.FP32));
                OnnxTeacher eightBits = OnnxTeacher.open(checkpoint, options(Precision.INT8))) {
            int vocabSize = reference.vocabSize();
            int[] ids = sequence(64, vocabSize, 3);
            double kl = LogitDivergence.kl(reference.logits(ids), eightBits.logits(ids), vocabSize);
            assertTrue(kl > 0 && kl < limit, "KL " + kl);
        }
    }

    @Test
    void inEightBitsToASequenceIsScoredTheSameToTheBitWhateverItsCompany() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 5);
        List<int[]> sequences = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            sequences.add(sequence(2 + 13 * i, 320, i));
        }
        try (OnnxTeacher teacher = OnnxTeacher.open(file, options(Precision.INT8))) {
            List<ScoredSequence> together = teacher.score(sequences, TargetSpec.topK(8));
            for (int i = 0; i < sequences.size(); i++) {
                ScoredSequence alone = teacher.score(List.of(sequences.get(i)), TargetSpec.topK(8)).get(0);
                assertArrayEquals(alone.targets().ids(), together.get(i).targets().ids());
                assertArrayEquals(alone.targets().probabilities(), together.get(i).targets().probabilities());
            }
        }
    }

    /** On the CPU, which computes half-precision graphs with casts. */
    @ParameterizedTest
    @ValueSource(strings = {"tied", "untied", "qwen2", "qwen3", "scaled"})
    void halfPrecisionIsNearToSinglePrecision(String fixture) {
        TeacherOptions cpu = options(Precision.FP32);
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.file(fixture + ".gguf", folder));
                OnnxTeacher reference = OnnxTeacher.open(checkpoint, cpu)) {
            int vocabSize = reference.vocabSize();
            int[] ids = sequence(64, vocabSize, 3);
            Path weights = ExternalWeights.materialize(checkpoint, Precision.FP16, null, cpu.scratch());
            byte[] model = LlamaGraph.build(checkpoint.config(), LlamaGraph.Ending.LOGITS, LlamaGraph.Kernels.FUSED, Precision.FP16);
            try (OnnxEngine engine = OnnxEngine.open(model, weights, cpu)) {
                int[] sequence = java.util.Arrays.copyOf(ids, 65);
                double kl = LogitDivergence.kl(reference.logits(ids), engine.logits(new TokenBatch(List.of(sequence), 64), vocabSize), vocabSize);
                assertTrue(kl > 0 && kl < 1e-5, "KL " + kl);
            }
        }
    }

    @Test
    void whatADeviceOrEngineCannotDoIsRefused() {
        Path scratch = folder.resolve("scratch");
        assertEquals(Device.CPU, new TeacherOptions(Engine.ONNX, Device.AUTO, 0, Precision.INT8, 1, scratch).device());
        assertEquals(Device.CUDA, new TeacherOptions(Engine.ONNX, Device.AUTO, 0, Precision.FP16, 1, scratch).device());
        assertTrue(refusal(Engine.ONNX, Device.CUDA, Precision.INT8).contains("for CPUs"));
        assertTrue(refusal(Engine.ONNX, Device.CPU, Precision.FP16).contains("for GPUs"));
        assertTrue(refusal(Engine.ND4J, Device.AUTO, Precision.INT8).contains("FP32 only"));
    }

    private String refusal(Engine engine, Device device, Precision precision) {
        return assertThrows(UserException.class, () -> new TeacherOptions(engine, device, 0, precision, 1, folder)).getMessage();
    }
}
