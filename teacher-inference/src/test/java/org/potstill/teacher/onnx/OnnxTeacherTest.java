// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

final class OnnxTeacherTest {
    private static final int VOCABULARY = TinyLlama.config().vocabSize();

    @TempDir
    static Path folder;

    private static Path file;
    private static OnnxTeacher teacher;

    @BeforeAll
    static void open() {
        file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 5);
        teacher = OnnxTeacher.open(file, options(TeacherOptions.Device.AUTO, 2));
    }

    @AfterAll
    static void close() {
        teacher.close();
    }

    private static TeacherOptions options(TeacherOptions.Device device, int threads) {
        return new TeacherOptions(device, threads, folder.resolve("scratch"));
    }

    private static int[] sequence(int length, long seed) {
        return new Random(seed).ints(length, 0, VOCABULARY).toArray();
    }

    @Test
    void scoresAreTopKAndLogSumExpOfTheFullLogits() {
        int[] ids = sequence(100, 1);
        int k = 7;
        ScoredSequence scored = teacher.score(List.of(ids), TargetSpec.topK(k)).get(0);
        float[] logits = teacher.logits(ids);
        assertEquals(99, scored.targets().positions());
        for (int t = 0; t < 99; t++) {
            float[] row = Arrays.copyOfRange(logits, t * VOCABULARY, (t + 1) * VOCABULARY);
            double sum = 0;
            for (float logit : row) {
                sum += Math.exp(logit);
            }
            double lse = Math.log(sum);
            int[] best = IntStream.range(0, VOCABULARY).boxed()
                    .sorted((a, b) -> row[a] != row[b] ? Float.compare(row[b], row[a]) : a - b)
                    .limit(k).mapToInt(Integer::intValue).toArray();
            SoftTargets targets = scored.targets();
            for (int j = 0; j < k; j++) {
                assertEquals(best[j], targets.ids()[t * k + j]);
                assertEquals(Math.exp(row[best[j]] - lse), targets.probabilities()[t * k + j], 1e-5);
            }
            assertEquals(row[ids[t + 1]] - lse, scored.tokenLogProbabilities()[t], 1e-4);
            double entropy = 0;
            for (float logit : row) {
                entropy -= Math.exp(logit - lse) * (logit - lse);
            }
            assertEquals(entropy, scored.entropies()[t], 1e-4);
        }
    }

    @Test
    void aSequenceIsScoredTheSameToTheBitWhateverItsCompany() {
        List<int[]> sequences = new ArrayList<>();
        Random random = new Random(2);
        for (int i = 0; i < 40; i++) {
            sequences.add(sequence(2 + random.nextInt(255), i));
        }
        sequences.add(sequence(2, 99));
        sequences.add(sequence(3, 100));
        sequences.add(sequence(257, 101));
        TargetSpec spec = TargetSpec.topK(16);
        List<ScoredSequence> together = teacher.score(sequences, spec);
        for (int i = 0; i < sequences.size(); i++) {
            ScoredSequence alone = teacher.score(List.of(sequences.get(i)), spec).get(0);
            assertSame(alone, together.get(i), "sequence " + i + " of " + sequences.get(i).length);
        }
        try (OnnxTeacher single = OnnxTeacher.open(file, options(TeacherOptions.Device.CPU, 1))) {
            List<ScoredSequence> oneThread = single.score(sequences, spec);
            for (int i = 0; i < sequences.size(); i++) {
                assertSame(oneThread.get(i), together.get(i), "one thread, sequence " + i);
            }
        }
    }

    private static void assertSame(ScoredSequence expected, ScoredSequence actual, String what) {
        assertArrayEquals(expected.targets().ids(), actual.targets().ids(), what);
        assertArrayEquals(expected.targets().probabilities(), actual.targets().probabilities(), what);
        assertArrayEquals(expected.tokenLogProbabilities(), actual.tokenLogProbabilities(), what);
    }

    @Test
    void severalThreadsTakeTurns() {
        List<int[]> batch = List.of(sequence(40, 3), sequence(60, 4));
        List<ScoredSequence> expected = teacher.score(batch, TargetSpec.topK(4));
        assertTrue(teacher.takeWork().seconds() > 0);
        assertEquals(new Teacher.Work(0, 0, Integer.MAX_VALUE), teacher.takeWork());
        IntStream.range(0, 16).parallel().forEach(i -> {
            List<ScoredSequence> actual = teacher.score(batch, TargetSpec.topK(4));
            assertSame(expected.get(0), actual.get(0), "0");
            assertSame(expected.get(1), actual.get(1), "1");
        });
    }

    @Test
    void moreTargetsThanTokensIsAllTokens() {
        SoftTargets targets = teacher.score(List.of(sequence(3, 6)), TargetSpec.topK(1000)).get(0).targets();
        assertEquals(2 * VOCABULARY, targets.ids().length);
        assertEquals(0, targets.tailMass(0), 1e-5);
    }

    @Test
    void noSequencesGiveNoResults() {
        assertEquals(List.of(), teacher.score(List.of(), TargetSpec.topK(4)));
    }

    @Test
    void badInputIsRefusedByNumberBeforeTheEngineSeesIt() {
        TargetSpec spec = TargetSpec.topK(4);
        assertTrue(refusal(() -> teacher.score(List.of(new int[] {1, 2}, new int[] {1, VOCABULARY}), spec))
                .contains("sequence 1 of the batch has token id " + VOCABULARY));
        assertTrue(refusal(() -> teacher.score(List.of(new int[] {-1, 2}), spec)).contains("token id -1"));
        assertTrue(refusal(() -> teacher.score(List.of(new int[] {1}), spec)).contains("has 1 tokens"));
        assertTrue(refusal(() -> teacher.score(List.of(new int[258]), spec)).contains("2 to 257"));
        assertTrue(refusal(() -> teacher.logits(new int[0])).contains("has 0 tokens"));
        assertEquals(256 * VOCABULARY, teacher.logits(new int[256]).length);
    }

    @Test
    void explicitCudaWithoutACudaBuildFailsAtOnce() {
        if (ai.onnxruntime.OrtEnvironment.getAvailableProviders().contains(ai.onnxruntime.OrtProvider.CUDA)) {
            return;
        }
        assertEquals(TeacherOptions.Device.CPU, teacher.device());
        Path absent = folder.resolve("never-read.gguf");
        assertTrue(refusal(() -> OnnxTeacher.open(absent, options(TeacherOptions.Device.CUDA, 1))).contains("CPU only"));
        assertTrue(refusal(() -> options(TeacherOptions.Device.CPU, 0)).contains("threads"));
    }

    @Test
    void weightsAreWrittenOnceAndMendedWhenDamaged() throws IOException {
        Path scratch = folder.resolve("own-scratch");
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.CPU, 1, scratch);
        OnnxTeacher.open(file, options).close();
        Path weights = weights(scratch);
        var written = Files.getLastModifiedTime(weights);
        OnnxTeacher.open(file, options).close();
        assertEquals(written, Files.getLastModifiedTime(weights));
        byte[] whole = Files.readAllBytes(weights);
        Files.write(weights, new byte[10]);
        OnnxTeacher.open(file, options).close();
        assertArrayEquals(whole, Files.readAllBytes(weights));
    }

    private static Path weights(Path scratch) throws IOException {
        try (var files = Files.walk(scratch)) {
            return files.filter(p -> p.endsWith("weights.bin")).findFirst().orElseThrow();
        }
    }

    @Test
    void anUntiedHeadIsUsed() {
        CausalLmConfig untied = new CausalLmConfig(320, 32, 64, 3, 4, 1, 8, 100, 1e-5f, 500f, false);
        Path other = folder.resolve("untied.gguf");
        TinyLlama.write(other, 1, untied);
        try (OnnxTeacher small = OnnxTeacher.open(other, options(TeacherOptions.Device.CPU, 1))) {
            ScoredSequence scored = small.score(List.of(sequence(101, 1)), TargetSpec.topK(3)).get(0);
            assertEquals(100, scored.targets().positions());
        }
    }

    @Test
    void aSequenceWithoutFiniteProbabilitiesDoesNotSpoilItsNeighbours() {
        CausalLmConfig untied = new CausalLmConfig(320, 32, 64, 2, 4, 2, 8, 100, 1e-5f, 10_000f, false);
        float[] table = new float[320 * 32];
        Random random = new Random(3);
        for (int i = 0; i < table.length; i++) {
            table[i] = (float) random.nextGaussian();
        }
        Path sound = folder.resolve("sound.gguf");
        Path spoilt = folder.resolve("spoilt.gguf");
        TinyLlama.gguf(1, untied).tensor("token_embd.weight", new long[] {320, 32}, table).write(sound);
        table[91 * 32 + 5] = Float.NaN;
        table[92 * 32] = Float.POSITIVE_INFINITY;
        TinyLlama.gguf(1, untied).tensor("token_embd.weight", new long[] {320, 32}, table).write(spoilt);
        // The last token is predicted, not read.
        List<int[]> sequences = List.of(new int[] {1, 2, 3, 4}, new int[] {1, 2, 91, 4, 5}, new int[] {7, 91}, new int[] {92, 6, 7, 8});
        TargetSpec spec = TargetSpec.topK(4);
        try (OnnxTeacher good = OnnxTeacher.open(sound, options(TeacherOptions.Device.CPU, 2));
                OnnxTeacher bad = OnnxTeacher.open(spoilt, options(TeacherOptions.Device.CPU, 2))) {
            List<ScoredSequence> expected = good.score(sequences, spec);
            List<ScoredSequence> actual = bad.score(sequences, spec);
            for (int i : new int[] {0, 2}) {
                assertNull(actual.get(i).problem());
                assertSame(expected.get(i), actual.get(i), "sequence " + i);
            }
            for (int i : new int[] {1, 3}) {
                assertTrue(actual.get(i).problem().contains("no finite probabilities"), actual.get(i).problem());
                assertNull(actual.get(i).targets());
            }
        }
    }

    private static String refusal(Runnable call) {
        return assertThrows(UserException.class, call::run).getMessage();
    }
}
