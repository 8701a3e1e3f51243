// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ForkJoinPool;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.LlamaGraph.Ending;
import org.potstill.checkpoints.graph.LlamaGraph.Kernels;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.LogitScores;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TokenBatch;

/** The graph that is made for GPUs, run on the CPU: in single precision, and in half precision, which the CPU computes with casts. */
final class GpuGraphTest {
    @TempDir
    private Path folder;

    private OnnxEngine engine(Checkpoint checkpoint, Ending ending, Kernels kernels, Precision precision) {
        TeacherOptions cpu = new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch"));
        Path weights = ExternalWeights.materialize(checkpoint, precision, null, cpu.scratch());
        return OnnxEngine.open(LlamaGraph.build(checkpoint.config(), ending, kernels, precision), weights, cpu);
    }

    private static TokenBatch batch(int vocabSize, int padded, int... lengths) {
        Random random = new Random(7);
        return new TokenBatch(Arrays.stream(lengths).mapToObj(n -> random.ints(n, 0, vocabSize).toArray()).toList(), padded);
    }

    private static List<ScoredSequence> score(OnnxEngine engine, TokenBatch batch, TargetSpec spec) {
        ScoringPass pass = new ScoringPass(batch, spec, new PassBuffers());
        engine.run(pass);
        return pass.read();
    }

    private float[] logits(Checkpoint checkpoint, Kernels kernels, Precision precision, TokenBatch batch) {
        try (OnnxEngine engine = engine(checkpoint, Ending.LOGITS, kernels, precision)) {
            return engine.logits(batch, checkpoint.vocabSize());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tied", "untied", "qwen2", "qwen3", "scaled"})
    void inSinglePrecisionItAgreesWithPlainKernels(String fixture) {
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.file(fixture + ".gguf", folder))) {
            TokenBatch batch = batch(checkpoint.vocabSize(), 64, 65, 2, 40);
            float[] plain = logits(checkpoint, Kernels.PLAIN, Precision.FP32, batch);
            assertEquals(0, distance(plain, logits(checkpoint, Kernels.GPU, Precision.FP32, batch)), 1e-6);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"tied", "untied", "qwen2", "qwen3", "scaled"})
    void inHalfPrecisionItIsAsNearToSinglePrecisionAsOtherKernels(String fixture) {
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.file(fixture + ".gguf", folder))) {
            TokenBatch batch = batch(checkpoint.vocabSize(), 64, 65, 2, 40);
            float[] exact = logits(checkpoint, Kernels.PLAIN, Precision.FP32, batch);
            double fused = distance(exact, logits(checkpoint, Kernels.FUSED, Precision.FP16, batch));
            double gpu = distance(exact, logits(checkpoint, Kernels.GPU, Precision.FP16, batch));
            assertTrue(gpu > 0 && gpu < 1.5 * fused, gpu + " against " + fused);
        }
    }

    /** The root of the mean square, to that of what is expected. */
    private static double distance(float[] expected, float[] actual) {
        double off = 0;
        double all = 0;
        for (int i = 0; i < expected.length; i++) {
            off += Math.pow(expected[i] - actual[i], 2);
            all += Math.pow(expected[i], 2);
        }
        return Math.sqrt(off / all);
    }

    /** 304 tokens: blocks of 16; 320: of 32; 1024 targets: all tokens. */
    @ParameterizedTest
    @ValueSource(strings = {"top-7", "top-1", "top-1024", "systematic-20-seed-3", "top-8-systematic-20-seed-3"})
    void scoresAreThoseOfTheLogits(String name) {
        requireScoresOfLogits(Fixtures.file("untied.gguf", folder), name);
        Path odd = folder.resolve("odd.gguf");
        TinyLlama.write(odd, 3, new CausalLmConfig(331, 32, 64, 1, 4, 2, 16, 64, 1e-5f, 10_000f, true));
        requireScoresOfLogits(odd, name);
    }

    private void requireScoresOfLogits(Path file, String name) {
        TargetSpec wanted = TargetSpec.parse(name);
        Ending ending = wanted.draws() == 0 ? Ending.SCORES : wanted.k() == 0 ? Ending.DRAWS : Ending.SCORES_AND_DRAWS;
        try (Checkpoint checkpoint = Checkpoints.open(file);
                OnnxEngine engine = engine(checkpoint, ending, Kernels.GPU, Precision.FP32)) {
            int vocabSize = checkpoint.vocabSize();
            TargetSpec spec = new TargetSpec(Math.min(wanted.k(), vocabSize), wanted.draws(), wanted.seed());
            TokenBatch batch = batch(vocabSize, 64, 60, 33, 2);
            float[] logits = logits(checkpoint, Kernels.GPU, Precision.FP32, batch);
            List<ScoredSequence> scored = score(engine, batch, spec);
            int row = 0;
            int same = 0;
            for (int i = 0; i < scored.size(); i++) {
                int[] tokens = batch.sequences().get(i);
                int positions = tokens.length - 1;
                LogitScores naive = new LogitScores(tokens, vocabSize, spec);
                float[] own = Arrays.copyOfRange(logits, row * vocabSize, (row + positions) * vocabSize);
                naive.add(0, positions, own, ForkJoinPool.commonPool());
                ScoredSequence expected = naive.result();
                assertArrayEquals(expected.tokenLogProbabilities(), scored.get(i).tokenLogProbabilities(), 1e-5f);
                assertArrayEquals(expected.entropies(), scored.get(i).entropies(), 1e-5f);
                same += same(expected.targets(), scored.get(i).targets());
                row += positions;
            }
            // Sums in single precision may decide a draw otherwise that falls next to a boundary.
            assertTrue(same >= (spec.draws() == 0 ? row : row - 2), same + " of " + row + " positions");
        }
    }

    private static int same(SoftTargets expected, SoftTargets actual) {
        int same = 0;
        for (int t = 0; t < expected.positions(); t++) {
            int[] ids = Arrays.copyOfRange(expected.ids(), expected.begin(t), expected.end(t));
            if (Arrays.equals(ids, Arrays.copyOfRange(actual.ids(), actual.begin(t), actual.end(t)))) {
                same++;
                for (int i = 0; i < ids.length; i++) {
                    assertEquals(expected.probabilities()[expected.begin(t) + i], actual.probabilities()[actual.begin(t) + i], 1e-6);
                }
            }
        }
        return same;
    }

    /** Every token has the embedding, and so the logit, of the next three. */
    @Test
    void ofEqualLogitsAnyAreTakenButNoneTwice() {
        CausalLmConfig config = new CausalLmConfig(320, 32, 64, 1, 4, 2, 16, 100, 1e-5f, 10_000f, true);
        Random random = new Random(5);
        float[] table = new float[320 * 32];
        for (int i = 0; i < table.length; i++) {
            table[i] = i % 128 < 32 ? (float) random.nextGaussian() : table[i - 32];
        }
        Path file = folder.resolve("ties.gguf");
        TinyLlama.gguf(1, config).tensor("token_embd.weight", new long[] {320, 32}, table).write(file);
        TokenBatch batch = batch(320, 64, 65);
        List<SoftTargets> targets = new ArrayList<>();
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            for (Kernels kernels : new Kernels[] {Kernels.FUSED, Kernels.GPU}) {
                try (OnnxEngine engine = engine(checkpoint, Ending.SCORES, kernels, Precision.FP32)) {
                    targets.add(score(engine, batch, TargetSpec.topK(10)).get(0).targets());
                }
            }
        }
        assertArrayEquals(targets.get(0).probabilities(), targets.get(1).probabilities(), 1e-6f);
        for (int t = 0; t < 64; t++) {
            Set<Integer> ids = new HashSet<>();
            Set<Integer> quadruples = new HashSet<>();
            for (int i = 10 * t; i < 10 * t + 8; i++) {
                quadruples.add(targets.get(0).ids()[i] / 4);
            }
            for (int i = 10 * t; i < 10 * t + 10; i++) {
                assertTrue(ids.add(targets.get(1).ids()[i]));
                assertEquals(i < 10 * t + 8, quadruples.contains(targets.get(1).ids()[i] / 4));
            }
        }
    }

    @Test
    void aSequenceIsScoredTheSameWhateverItsCompany() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 5);
        TargetSpec spec = TargetSpec.topK(16);
        try (Checkpoint checkpoint = Checkpoints.open(file);
                OnnxEngine engine = engine(checkpoint, Ending.SCORES, Kernels.GPU, Precision.FP32)) {
            TokenBatch batch = batch(checkpoint.vocabSize(), 128, 129, 70, 2, 100, 128, 66);
            List<ScoredSequence> together = score(engine, batch, spec);
            for (int i = 0; i < together.size(); i++) {
                ScoredSequence alone = score(engine, new TokenBatch(List.of(batch.sequences().get(i)), 128), spec).get(0);
                assertArrayEquals(alone.targets().ids(), together.get(i).targets().ids());
                assertArrayEquals(alone.targets().probabilities(), together.get(i).targets().probabilities());
                assertArrayEquals(alone.tokenLogProbabilities(), together.get(i).tokenLogProbabilities());
            }
        }
    }

    @Test
    void aSequenceWithoutFiniteProbabilitiesDoesNotSpoilItsNeighbours() {
        CausalLmConfig config = new CausalLmConfig(320, 32, 64, 2, 4, 2, 16, 100, 1e-5f, 10_000f, false);
        float[] table = new float[320 * 32];
        Random random = new Random(3);
        for (int i = 0; i < table.length; i++) {
            table[i] = (float) random.nextGaussian();
        }
        List<int[]> sequences = List.of(new int[] {1, 2, 3, 4}, new int[] {1, 2, 91, 4, 5}, new int[] {7, 91}, new int[] {92, 6, 7, 8});
        List<List<ScoredSequence>> results = new ArrayList<>();
        for (boolean spoilt : new boolean[] {false, true}) {
            table[91 * 32 + 5] = spoilt ? Float.NaN : 1;
            table[92 * 32] = spoilt ? Float.POSITIVE_INFINITY : 1;
            Path file = folder.resolve(spoilt + ".gguf");
            TinyLlama.gguf(1, config).tensor("token_embd.weight", new long[] {320, 32}, table).write(file);
            try (Checkpoint checkpoint = Checkpoints.open(file);
                    OnnxEngine engine = engine(checkpoint, Ending.SCORES, Kernels.GPU, Precision.FP16)) {
                results.add(score(engine, new TokenBatch(sequences, 64), TargetSpec.topK(4)));
            }
        }
        for (int i : new int[] {0, 2}) {
            assertNull(results.get(1).get(i).problem());
            assertArrayEquals(results.get(0).get(i).targets().probabilities(), results.get(1).get(i).targets().probabilities());
        }
        for (int i : new int[] {1, 3}) {
            assertTrue(results.get(1).get(i).problem().contains("no finite probabilities"));
        }
    }
}
