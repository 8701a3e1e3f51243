// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.kernels.Matrix;
import org.potstill.kernels.Row;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.Fixtures;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.NaiveDecoder;

class SoftTargetLossTest {
    private static final int VOCABULARY = 2000;

    static Stream<Arguments> objectives() {
        return Arrays.stream(Divergence.values()).flatMap(divergence -> Arrays.stream(Tail.values()).flatMap(tail ->
                Stream.of(0, 0.5, 1).flatMap(alpha -> Stream.of(1, 8, 64).map(kept ->
                        Arguments.of(new Objective(alpha.doubleValue(), 0, divergence, tail), kept)))));
    }

    @ParameterizedTest
    @MethodSource("objectives")
    void lossAndGradientAreThoseOfTheDenseTwin(Objective objective, int kept) {
        Random random = new Random(6);
        compare(Fixtures.sequence(random, 2, VOCABULARY, kept), random.doubles(VOCABULARY, -6, 6).toArray(), objective);
    }

    @Test
    void withNothingKeptTheGhostHoldsAll() {
        Random random = new Random(6);
        compare(Fixtures.sequence(random, 2, VOCABULARY, 0), random.doubles(VOCABULARY, -6, 6).toArray(), Objective.of(1));
    }

    /** Sampled targets sum to one. Under the Jensen-Shannon divergence what was not drawn counts against the student. */
    @ParameterizedTest
    @EnumSource(names = {"FORWARD_KL", "JSD"})
    void sampledTargetsAreTakenAsAWholeDistribution(Divergence divergence) {
        Random random = new Random(8);
        TrainingSequence sampled = new TrainingSequence(new int[] {1, 2},
                new SoftTargets(new int[] {0, 3}, new int[] {4, 70, 1500}, new float[] {7 / 50f, 1 / 50f, 42 / 50f}));
        compare(sampled, random.doubles(VOCABULARY, -6, 6).toArray(), new Objective(1, 1, divergence, Tail.GHOST));
    }

    private static void compare(TrainingSequence sequence, double[] z, Objective objective) {
        for (DataType type : new DataType[] {DataType.FLOAT, DataType.DOUBLE}) {
            Matrix logits = matrix(type, z);
            StepLoss loss = apply(sequence, logits, objective);
            double tolerance = type == DataType.FLOAT ? 3e-6 : 1e-9;
            assertEquals(naive(sequence, z, objective), loss.total(), tolerance);
            Row gradient = Row.of(logits, VOCABULARY).load(logits, 0, 0, VOCABULARY);
            for (int j = 0; j < VOCABULARY; j += j < 100 ? 1 : 37) {
                assertEquals(difference(sequence, z, objective, j), gradient.get(j), 3e-7, type + " " + j);
            }
            for (int j : sequence.targets().ids()) {
                assertEquals(difference(sequence, z, objective, j), gradient.get(j), 3e-7, type + " kept " + j);
            }
            logits.free();
        }
    }

    @Test
    void divergenceFromItselfIsZeroAndItsGradientToo() {
        double[] z = new Random(1).doubles(VOCABULARY, -3, 3).toArray();
        double[] s = NaiveDecoder.softmax(z);
        float[] p = {(float) s[3], (float) s[70], (float) s[1999]};
        TrainingSequence itself = new TrainingSequence(new int[] {1, 2},
                new SoftTargets(new int[] {0, 3}, new int[] {3, 70, 1999}, p));
        Matrix logits = matrix(DataType.FLOAT, z);
        assertEquals(0, apply(itself, logits, Objective.of(1)).kl(), 1e-6);
        Row gradient = Row.of(logits, VOCABULARY).load(logits, 0, 0, VOCABULARY);
        assertEquals(0, gradient.max(VOCABULARY), 1e-8);
        logits.free();
    }

    @Test
    void aStudentThatIsSureOfTheKeptTokensHasAFiniteLoss() {
        double[] z = new double[VOCABULARY];
        z[5] = 500;
        TrainingSequence sequence = new TrainingSequence(new int[] {0, 5},
                new SoftTargets(new int[] {0, 1}, new int[] {5}, new float[] {0.6f}));
        for (DataType type : new DataType[] {DataType.FLOAT, DataType.DOUBLE}) {
            Matrix logits = matrix(type, z);
            StepLoss loss = apply(sequence, logits, Objective.of(1));
            assertTrue(loss.kl() > 10 && loss.kl() < 1e3, loss.toString());
            Row gradient = Row.of(logits, VOCABULARY).load(logits, 0, 0, VOCABULARY);
            assertEquals(0.4, gradient.get(5), 1e-6);
            assertTrue(Double.isFinite(gradient.sum(VOCABULARY)));
            logits.free();
        }
    }

    @Test
    void noTailAnywhereIsPlainDivergence() {
        double[] z = {0.1, -0.4, 2};
        TrainingSequence sequence = new TrainingSequence(new int[] {0, 1},
                new SoftTargets(new int[] {0, 3}, new int[] {2, 0, 1}, new float[] {0.5f, 0.3f, 0.1999f}));
        Matrix logits = matrix(DataType.FLOAT, z);
        double[] s = NaiveDecoder.softmax(z);
        double expected = 0.5 * Math.log(0.5 / s[2]) + 0.3 * Math.log(0.3 / s[0]) + 0.1999 * Math.log(0.1999 / s[1]);
        assertEquals(expected, apply(sequence, logits, Objective.of(1)).kl(), 1e-6);
        logits.free();
    }

    /** Sampled targets sum to one: the gradient is softmax − p, on what was drawn and on what was not. */
    @Test
    void sampledTargetsPullAsFullDistillationDoes() {
        double[] z = new Random(3).doubles(VOCABULARY, -3, 3).toArray();
        float[] p = {7 / 50f, 1 / 50f, 42 / 50f};
        int[] ids = {4, 70, 1500};
        TrainingSequence sampled = new TrainingSequence(new int[] {1, 2}, new SoftTargets(new int[] {0, 3}, ids, p));
        double[] s = NaiveDecoder.softmax(z);
        Matrix logits = matrix(DataType.FLOAT, z);
        double expected = 0;
        double[] pull = s.clone();
        for (int i = 0; i < 3; i++) {
            expected += p[i] * Math.log(p[i] / s[ids[i]]);
            pull[ids[i]] -= p[i];
        }
        assertEquals(expected, apply(sampled, logits, Objective.of(1)).kl(), 1e-5);
        Row gradient = Row.of(logits, VOCABULARY).load(logits, 0, 0, VOCABULARY);
        for (int j = 0; j < VOCABULARY; j++) {
            assertEquals(pull[j], gradient.get(j), 1e-6, "logit " + j);
        }
        logits.free();
    }

    private static StepLoss apply(TrainingSequence sequence, Matrix logits, Objective objective) {
        SoftTargets t = sequence.targets();
        PackedBatch.Targets targets = new PackedBatch.Targets(new boolean[] {true},
                new int[] {sequence.tokens()[1]}, t.offsets(), t.ids(), t.probabilities());
        SoftTargetLoss loss = new SoftTargetLoss(targets, objective, objective.alpha(), true);
        loss.rows(logits, 0, 0, 1);
        return loss.mean();
    }

    private static double naive(TrainingSequence sequence, double[] z, Objective objective) {
        double alpha = objective.alpha();
        return (alpha == 0 ? 0 : alpha * NaiveDecoder.divergence(z, sequence.targets(), 0, objective))
                - (1 - alpha) * Math.log(NaiveDecoder.softmax(z)[sequence.tokens()[1]]);
    }

    private static double difference(TrainingSequence sequence, double[] z, Objective objective, int j) {
        double epsilon = 1e-4;
        double at = z[j];
        z[j] = at + epsilon;
        double up = naive(sequence, z, objective);
        z[j] = at - epsilon;
        double down = naive(sequence, z, objective);
        z[j] = at;
        return (up - down) / (2 * epsilon);
    }

    private static Matrix matrix(DataType type, double[] z) {
        Matrix matrix = Matrix.allocate(type, 1, z.length);
        Row row = Row.of(matrix, z.length);
        for (int i = 0; i < z.length; i++) {
            row.set(i, z[i]);
        }
        row.store(matrix, 0, 0, z.length);
        return matrix;
    }
}
