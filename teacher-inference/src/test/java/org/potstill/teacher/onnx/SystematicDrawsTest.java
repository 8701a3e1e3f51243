// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.LogitScores;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TeacherOptions;

/** Over a vocabulary of several groups of blocks, the last block and group of which are not full. */
final class SystematicDrawsTest {
    private static final int VOCABULARY = 5003;

    @TempDir
    static Path folder;

    private static OnnxTeacher teacher;

    @BeforeAll
    static void open() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 5, new CausalLmConfig(VOCABULARY, 64, 128, 2, 4, 2, 16, 256, 1e-5f, 10_000f, true));
        teacher = OnnxTeacher.open(file, new TeacherOptions(TeacherOptions.Device.AUTO, 2, folder.resolve("scratch")));
    }

    @AfterAll
    static void close() {
        teacher.close();
    }

    private static int[] sequence(int length, long seed) {
        return new Random(seed).ints(length, 0, VOCABULARY).toArray();
    }

    private static double[] probabilities(float[] logits, int position) {
        double[] p = new double[VOCABULARY];
        double sum = 0;
        for (int v = 0; v < VOCABULARY; v++) {
            p[v] = Math.exp(logits[position * VOCABULARY + v]);
            sum += p[v];
        }
        for (int v = 0; v < VOCABULARY; v++) {
            p[v] /= sum;
        }
        return p;
    }

    @ParameterizedTest
    @ValueSource(strings = {"systematic-50-seed-3", "top-8-systematic-50-seed-3", "systematic-1-seed-0"})
    void aSequenceDrawsTheSameToTheBitWhateverItsCompany(String name) {
        TargetSpec spec = TargetSpec.parse(name);
        List<int[]> sequences = new ArrayList<>();
        for (int length : new int[] {2, 3, 17, 40, 64, 65, 130, 257}) {
            sequences.add(sequence(length, length));
        }
        List<ScoredSequence> together = teacher.score(sequences, spec);
        for (int i = 0; i < sequences.size(); i++) {
            SoftTargets alone = teacher.score(List.of(sequences.get(i)), spec).get(0).targets();
            assertArrayEquals(alone.offsets(), together.get(i).targets().offsets());
            assertArrayEquals(alone.ids(), together.get(i).targets().ids());
            assertArrayEquals(alone.probabilities(), together.get(i).targets().probabilities());
        }
    }

    /** Sums in single precision may decide a draw otherwise that falls next to a boundary. */
    @ParameterizedTest
    @ValueSource(strings = {"systematic-50-seed-3", "top-8-systematic-50-seed-3"})
    void theGraphDrawsWhatAWalkAlongTheFullDistributionDraws(String name) {
        TargetSpec spec = TargetSpec.parse(name);
        int[] tokens = sequence(200, 9);
        LogitScores plain = new LogitScores(tokens, VOCABULARY, spec);
        plain.add(0, 199, teacher.logits(Arrays.copyOf(tokens, 199)), ForkJoinPool.commonPool());
        SoftTargets expected = plain.result().targets();
        SoftTargets actual = teacher.score(List.of(tokens), spec).get(0).targets();
        int same = 0;
        for (int t = 0; t < 199; t++) {
            same += Arrays.equals(expected.ids(), expected.begin(t), expected.end(t), actual.ids(), actual.begin(t), actual.end(t)) ? 1 : 0;
            if (same == t + 1) {
                for (int i = 0; i < actual.end(t) - actual.begin(t); i++) {
                    assertEquals(expected.probabilities()[expected.begin(t) + i], actual.probabilities()[actual.begin(t) + i], 1e-5);
                }
            }
        }
        assertTrue(same >= 197, same + " of 199 positions");
    }

    /** Also those of peaked distributions: logits that are spread five times as wide, say. */
    @Test
    void everyTokenIsDrawnItsShareOfTheDrawsRoundedDownOrUp() {
        int draws = 50;
        int[] tokens = sequence(60, 4);
        float[] logits = teacher.logits(Arrays.copyOf(tokens, 59));
        for (float spread : new float[] {1, 5, 20}) {
            float[] spreadLogits = new float[logits.length];
            for (int i = 0; i < logits.length; i++) {
                spreadLogits[i] = spread * logits[i];
            }
            LogitScores scores = new LogitScores(tokens, VOCABULARY, TargetSpec.systematic(draws, 1));
            scores.add(0, 59, spreadLogits, ForkJoinPool.commonPool());
            SoftTargets targets = scores.result().targets();
            for (int t = 0; t < targets.positions(); t++) {
                double[] counts = new double[VOCABULARY];
                for (int i = targets.begin(t); i < targets.end(t); i++) {
                    counts[targets.ids()[i]] = targets.probabilities()[i] * draws;
                }
                double[] p = probabilities(spreadLogits, t);
                for (int v = 0; v < VOCABULARY; v++) {
                    assertTrue(Math.abs(counts[v] - draws * p[v]) < 1 + 1e-4, draws * p[v] + " expected, " + counts[v] + " drawn");
                }
            }
        }
    }

    @Test
    void drawsAreDistinctAscendingAndSumToOne() {
        SoftTargets targets = teacher.score(List.of(sequence(60, 4)), TargetSpec.systematic(50, 1)).get(0).targets();
        for (int t = 0; t < targets.positions(); t++) {
            double sum = 0;
            for (int i = targets.begin(t); i < targets.end(t); i++) {
                assertTrue(i == targets.begin(t) || targets.ids()[i] > targets.ids()[i - 1]);
                double count = targets.probabilities()[i] * 50;
                assertEquals(Math.rint(count), count, 1e-5);
                sum += targets.probabilities()[i];
            }
            assertEquals(1, sum, 1e-6);
        }
    }

    @Test
    void theTailIsDrawnFromWhatTheTopDoesNotHold() {
        int[] tokens = sequence(60, 4);
        SoftTargets top = teacher.score(List.of(tokens), TargetSpec.topK(8)).get(0).targets();
        SoftTargets both = teacher.score(List.of(tokens), TargetSpec.topKAndSystematic(8, 20, 1)).get(0).targets();
        for (int t = 0; t < both.positions(); t++) {
            double sum = 0;
            for (int i = both.begin(t); i < both.end(t); i++) {
                sum += both.probabilities()[i];
            }
            assertEquals(1, sum, 1e-5);
            for (int i = 0; i < 8; i++) {
                int id = top.ids()[top.begin(t) + i];
                assertEquals(id, both.ids()[both.begin(t) + i]);
                for (int j = both.begin(t) + 8; j < both.end(t); j++) {
                    assertTrue(both.ids()[j] != id);
                }
            }
        }
    }

    @Test
    void aTopOfTheWholeVocabularyLeavesNothingToDraw() {
        SoftTargets targets = teacher.score(List.of(sequence(3, 1)), TargetSpec.topKAndSystematic(1024, 5, 1)).get(0).targets();
        assertTrue(targets.end(0) > 1024);
        Path small = folder.resolve("small.gguf");
        TinyLlama.write(small, 5);
        try (OnnxTeacher other = OnnxTeacher.open(small, new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch")))) {
            assertEquals(320, other.score(List.of(new int[] {1, 2}), TargetSpec.topKAndSystematic(1024, 5, 1)).get(0).targets().end(0));
        }
    }

    /**
     * Over 10,000 seeds and last tokens, on which the draws depend and the distributions do not, the mean of the estimate against
     * the full distribution: Pearson's χ² over cells of at least five expected draws, whose probability to come out as large or
     * larger (Wilson and Hilferty 1931) must not be absurd.
     */
    @ParameterizedTest
    @ValueSource(ints = {0, 4})
    void theEstimateIsUnbiased(int k) {
        float[] logits = teacher.logits(new int[] {7, 11});
        int seeds = 20;
        int lastTokens = 500;
        int trials = seeds * lastTokens;
        int draws = 5;
        double[][] mean = new double[2][VOCABULARY];
        for (int seed = 0; seed < seeds; seed++) {
            List<int[]> sequences = IntStream.range(0, lastTokens).mapToObj(last -> new int[] {7, 11, last}).toList();
            for (ScoredSequence scored : teacher.score(sequences, new TargetSpec(k, draws, seed))) {
                SoftTargets targets = scored.targets();
                for (int t = 0; t < 2; t++) {
                    for (int i = targets.begin(t); i < targets.end(t); i++) {
                        mean[t][targets.ids()[i]] += targets.probabilities()[i] / trials;
                    }
                }
            }
        }
        for (int t = 0; t < 2; t++) {
            double[] p = probabilities(logits, t);
            double[] sorted = p.clone();
            Arrays.sort(sorted);
            double tail = 1;
            for (int i = 1; i <= k; i++) {
                tail -= sorted[VOCABULARY - i];
            }
            double chi = 0;
            int cells = 0;
            double expected = 0;
            double observed = 0;
            for (int v = 0; v < VOCABULARY; v++) {
                if (k > 0 && p[v] >= sorted[VOCABULARY - k]) {
                    // Kept as it is, not drawn.
                    assertEquals(p[v], mean[t][v], 1e-5);
                    continue;
                }
                expected += p[v] / tail * trials * draws;
                observed += mean[t][v] / tail * trials * draws;
                if (expected >= 5) {
                    chi += (observed - expected) * (observed - expected) / expected;
                    cells++;
                    expected = 0;
                    observed = 0;
                }
            }
            int freedom = cells - 1;
            double deviations = (Math.cbrt(chi / freedom) - (1 - 2.0 / (9 * freedom))) / Math.sqrt(2.0 / (9 * freedom));
            assertTrue(freedom > 500 && Math.abs(deviations) < 3.5, "position " + t + ": chi-square " + chi + " over " + freedom
                    + " degrees of freedom, " + deviations + " standard deviations");
        }
    }
}
