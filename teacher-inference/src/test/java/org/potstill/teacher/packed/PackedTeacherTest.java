// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Families;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.kernels.OneDnn;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.LogitDivergence;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.onnx.OnnxTeacher;
import org.potstill.teacher.scoring.LogitScores;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.potstill.teacher.scoring.TeacherOptions.Engine;

final class PackedTeacherTest {
    /** The fixtures keep every eighth position. */
    private static final int EVERY = 8;
    private static final int FIXTURE_VOCABULARY = 304;
    private static final List<String> SPECS = List.of("top-7", "systematic-50-seed-0", "top-8-systematic-50-seed-3");

    @TempDir
    Path folder;

    private TeacherOptions options(Precision precision) {
        return new TeacherOptions(Engine.ONNX, Device.CPU, 0, precision, 2, folder.resolve("scratch"));
    }

    private static int[] sequence(int length, int vocabSize, long seed) {
        return new Random(seed).ints(length, 0, vocabSize).toArray();
    }

    private static void requireBf16() {
        assumeTrue(OneDnn.canUseBf16(), "this processor does not multiply bfloat16 numbers");
    }

    /** Several chunks of ids, the last one not whole. */
    private Path manyIds() {
        Path file = folder.resolve("many-ids.gguf");
        TinyLlama.write(file, 5, new CausalLmConfig(2 * DecoderWeights.CHUNK + 300, 64, 128, 2, 4, 2, 16, 512, 1e-5f, 10_000f, true));
        return file;
    }

    @ParameterizedTest
    @ValueSource(strings = {"untied", "tied", "quantised", "scaled", "qwen2", "qwen3", "llama3-f32", "mistral-bf16", "smollm3",
        "smollm3-windows", "granite", "phi3", "phi3-longrope", "olmo2", "gemma2", "gemma3", "llama-linear", "qwen3-yarn", "llama-yarn"})
    void logitsAreThoseOfTransformers(String name) {
        FloatBuffer expected = ByteBuffer.wrap(Fixtures.bytes(name + ".logits")).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
        String text = new String(Fixtures.bytes(name + ".ids"), StandardCharsets.US_ASCII).trim();
        int[] ids = Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray();
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.checkpoint(name, folder)); PackedTeacher exact = PackedTeacher.exact(checkpoint, 2)) {
            assertEquals(0, difference(expected, exact.logits(ids)), 2e-5);
            if (OneDnn.canUseBf16()) {
                try (PackedTeacher rounded = PackedTeacher.open(checkpoint, options(Precision.BF16))) {
                    double difference = difference(expected, rounded.logits(ids));
                    assertTrue(difference > 1e-5 && difference < 0.05, "in bf16 " + difference);
                }
            }
        }
    }

    /** Relative to the largest logit. */
    private static double difference(FloatBuffer expected, float[] actual) {
        double scale = 0;
        double worst = 0;
        for (int i = 0; i < expected.limit(); i++) {
            int row = i / FIXTURE_VOCABULARY * EVERY + EVERY - 1;
            scale = Math.max(scale, Math.abs(expected.get(i)));
            worst = Math.max(worst, Math.abs(expected.get(i) - actual[row * FIXTURE_VOCABULARY + i % FIXTURE_VOCABULARY]));
        }
        return worst / scale;
    }

    static List<String> families() {
        return List.copyOf(Families.all().keySet());
    }

    /** Sequences of several blocks of queries, windows shorter than they are. */
    @ParameterizedTest
    @MethodSource("families")
    void scoresAreThoseOfTheOnnxGraph(String family) {
        Path file = folder.resolve("family.gguf");
        TinyLlama.write(file, 5, Families.all().get(family));
        try (Checkpoint checkpoint = Checkpoints.open(file);
                OnnxTeacher reference = OnnxTeacher.open(checkpoint, options(Precision.FP32));
                PackedTeacher exact = PackedTeacher.exact(checkpoint, 2)) {
            List<int[]> sequences = List.of(sequence(250, 320, 3), sequence(2, 320, 4), sequence(70, 320, 5));
            for (String spec : SPECS) {
                List<ScoredSequence> expected = reference.score(sequences, TargetSpec.parse(spec));
                List<ScoredSequence> actual = exact.score(sequences, TargetSpec.parse(spec));
                for (int i = 0; i < sequences.size(); i++) {
                    assertArrayEquals(expected.get(i).tokenLogProbabilities(), actual.get(i).tokenLogProbabilities(), 1e-4f);
                    assertArrayEquals(expected.get(i).entropies(), actual.get(i).entropies(), 1e-4f);
                }
            }
        }
    }

    @Test
    void scoresAreThoseOfTheFullLogits() {
        try (Checkpoint checkpoint = Checkpoints.open(manyIds()); PackedTeacher teacher = PackedTeacher.exact(checkpoint, 2)) {
            int vocabSize = teacher.vocabSize();
            int[] ids = sequence(130, vocabSize, 1);
            float[] logits = teacher.logits(Arrays.copyOf(ids, ids.length - 1));
            for (String name : SPECS) {
                TargetSpec spec = TargetSpec.parse(name);
                LogitScores slow = new LogitScores(ids, vocabSize, spec);
                slow.add(0, ids.length - 1, logits, ForkJoinPool.commonPool());
                ScoredSequence expected = slow.result();
                ScoredSequence actual = teacher.score(List.of(ids), spec).get(0);
                assertNearlySame(expected.targets(), actual.targets(), spec.draws() == 0 ? 0 : 2);
                assertArrayEquals(expected.tokenLogProbabilities(), actual.tokenLogProbabilities(), 1e-5f, name);
                assertArrayEquals(expected.entropies(), actual.entropies(), 1e-4f, name);
            }
        }
    }

    /** @param others number of positions that may have other ids: a point between two ids may be drawn as either */
    private static void assertNearlySame(SoftTargets expected, SoftTargets actual, int others) {
        int differing = 0;
        for (int t = 0; t < expected.positions(); t++) {
            if (Arrays.equals(expected.ids(), expected.begin(t), expected.end(t), actual.ids(), actual.begin(t), actual.end(t))) {
                assertArrayEquals(Arrays.copyOfRange(expected.probabilities(), expected.begin(t), expected.end(t)),
                        Arrays.copyOfRange(actual.probabilities(), actual.begin(t), actual.end(t)), 1e-6f);
            } else {
                differing++;
            }
        }
        assertTrue(differing <= others, differing + " positions have other ids");
    }

    @Test
    void inBf16TheDistributionsAreNearToThoseInSinglePrecision() {
        requireBf16();
        try (Checkpoint checkpoint = Checkpoints.open(manyIds()); PackedTeacher exact = PackedTeacher.exact(checkpoint, 2);
                Teacher rounded = Teachers.open(checkpoint, options(Precision.BF16))) {
            int vocabSize = exact.vocabSize();
            int[] ids = sequence(100, vocabSize, 3);
            double kl = LogitDivergence.kl(exact.logits(ids), rounded.logits(ids), vocabSize);
            assertTrue(kl > 0 && kl < 5e-4, "KL " + kl);
        }
    }

    @Test
    void inBf16ASequenceIsScoredTheSameToTheBitWhateverItsCompanyAndTheThreads() {
        requireBf16();
        List<int[]> sequences = new ArrayList<>();
        Random random = new Random(2);
        for (int i = 0; i < 24; i++) {
            sequences.add(sequence(2 + random.nextInt(300), 300, i));
        }
        try (Checkpoint checkpoint = Checkpoints.open(manyIds()); PackedTeacher teacher = PackedTeacher.open(checkpoint, options(Precision.BF16));
                PackedTeacher single = PackedTeacher.open(checkpoint, new TeacherOptions(Engine.ONNX, Device.CPU, 0, Precision.BF16, 1, folder))) {
            for (String name : SPECS) {
                TargetSpec spec = TargetSpec.parse(name);
                List<ScoredSequence> together = teacher.score(sequences, spec);
                List<ScoredSequence> oneThread = single.score(sequences, spec);
                for (int i = 0; i < sequences.size(); i++) {
                    assertSame(teacher.score(List.of(sequences.get(i)), spec).get(0), together.get(i), "alone, sequence " + i);
                    assertSame(oneThread.get(i), together.get(i), "one thread, sequence " + i);
                }
            }
        }
    }

    private static void assertSame(ScoredSequence expected, ScoredSequence actual, String what) {
        assertArrayEquals(expected.targets().ids(), actual.targets().ids(), what);
        assertArrayEquals(expected.targets().probabilities(), actual.targets().probabilities(), what);
        assertArrayEquals(expected.tokenLogProbabilities(), actual.tokenLogProbabilities(), what);
        assertArrayEquals(expected.entropies(), actual.entropies(), what);
    }

    @Test
    void aSequenceThatOverflowsDoesNotAffectOthers() {
        CausalLmConfig config = TinyLlama.config();
        float[] table = new float[config.vocabSize() * config.hiddenSize()];
        Random random = new Random(6);
        for (int i = 0; i < table.length; i++) {
            table[i] = i / config.hiddenSize() == 7 ? Float.POSITIVE_INFINITY : (float) random.nextGaussian();
        }
        Path file = folder.resolve("infinite.gguf");
        TinyLlama.gguf(5, new CausalLmConfig(config.vocabSize(), config.hiddenSize(), config.intermediateSize(), config.numHiddenLayers(),
                config.numAttentionHeads(), config.numKeyValueHeads(), config.headDim(), config.maxPositionEmbeddings(), config.rmsNormEps(),
                config.ropeTheta(), false)).tensor("token_embd.weight", new long[] {config.vocabSize(), config.hiddenSize()}, table).write(file);
        int[] sound = {1, 2, 3, 4, 5};
        try (Checkpoint checkpoint = Checkpoints.open(file); PackedTeacher teacher = PackedTeacher.exact(checkpoint, 2)) {
            for (String spec : SPECS) {
                List<ScoredSequence> scored = teacher.score(List.of(sound, new int[] {1, 2, 7, 4}, sound), TargetSpec.parse(spec));
                assertTrue(scored.get(1).problem().contains("no finite probabilities"), scored.get(1).problem());
                assertNull(scored.get(0).problem());
                assertSame(teacher.score(List.of(sound), TargetSpec.parse(spec)).get(0), scored.get(2), spec);
            }
        }
    }

    @Test
    void longPassesAreDivided() {
        try (Checkpoint checkpoint = Checkpoints.open(manyIds()); PackedTeacher teacher = PackedTeacher.exact(checkpoint, 2)) {
            List<int[]> sequences = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                sequences.add(sequence(513, 300, i));
            }
            List<ScoredSequence> scored = teacher.score(sequences, TargetSpec.topK(4));
            assertEquals(20, scored.size());
            assertSame(teacher.score(List.of(sequences.get(19)), TargetSpec.topK(4)).get(0), scored.get(19), "the last");
            assertTrue(teacher.takeWork().seconds() > 0);
        }
    }

    @Test
    void whatItCannotRunIsRefused() {
        assertEquals(Device.CPU, new TeacherOptions(Engine.ONNX, Device.AUTO, 0, Precision.BF16, 1, folder).device());
        assertTrue(assertThrows(UserException.class, () -> new TeacherOptions(Engine.ONNX, Device.CUDA, 0, Precision.BF16, 1, folder))
                .getMessage().contains("for CPUs"));
        assertTrue(assertThrows(UserException.class, () -> new TeacherOptions(Engine.ND4J, Device.CPU, 0, Precision.BF16, 1, folder))
                .getMessage().contains("FP32 only"));
        try (Checkpoint experts = Checkpoints.open(Fixtures.checkpoint("mixtral", folder))) {
            assertTrue(assertThrows(UserException.class, () -> Teachers.open(experts, options(Precision.BF16))).getMessage().contains("mixture of experts"));
        }
    }
}
