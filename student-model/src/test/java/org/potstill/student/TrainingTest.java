// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.nd4j.linalg.api.buffer.DataType;
import org.potstill.student.batch.LabelledBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.Weights;
import org.potstill.student.loss.Divergence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.loss.Tail;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;
import org.potstill.student.options.TrainingOptions.Optimizer;
import org.potstill.student.options.WarmupCosine;

class TrainingTest {
    private static final int VOCABULARY = Fixtures.TINY.vocabSize();

    @Test
    void overfitsATinyBatch() {
        List<TrainingSequence> batch = Fixtures.batch(1, VOCABULARY, 4, 12, 9);
        try (Student student = Student.create(Fixtures.TINY, Fixtures.options(0, 1e-2, Optimizer.ADAMW), 1)) {
            double first = student.step(batch, 0).total();
            double last = first;
            for (int step = 1; step < 200; step++) {
                last = student.step(batch, step).total();
            }
            assertTrue(first > 3 && last < 0.05, first + " to " + last);
        }
    }

    @Test
    void distillationBringsTheStudentToTheTeachersDistribution() {
        List<TrainingSequence> batch = Fixtures.batch(1, VOCABULARY, 4, 12, 9);
        try (Student student = Student.create(Fixtures.TINY, Fixtures.options(1, 1e-2, Optimizer.ADAMW), 1)) {
            for (int step = 0; step < 400; step++) {
                student.step(batch, step);
            }
            double kl = student.loss(batch).kl();
            assertTrue(kl >= 0 && kl < 0.02, "kl " + kl);
        }
    }

    @Test
    void sameSeedSameBytesAndAnotherSeedOthers() {
        Student.setThreads(2);
        float[] first = created(5);
        Student.setThreads(1);
        assertArrayEquals(first, created(5));
        assertTrue(first[0] != created(6)[0]);
    }

    @Test
    void initialWeightsAreNormalAndNormsAreOne() {
        float[] parameters = created(5);
        double squares = 0;
        int embedding = VOCABULARY * Fixtures.TINY.hiddenSize();
        for (int i = 0; i < embedding; i++) {
            squares += parameters[i] * parameters[i];
        }
        assertEquals(0.02, Math.sqrt(squares / embedding), 0.002);
        assertEquals(1f, parameters[parameters.length - 1]);
    }

    @Test
    void sameInputsSameBits() {
        assertArrayEquals(trained(30), trained(30));
    }

    @Test
    void studentsSideBySideLearnWhatEachLearnsAlone() {
        Student.setThreads(1);
        float[] alone = trained(30);
        List<float[]> together = java.util.stream.IntStream.range(0, 4).parallel().mapToObj(i -> trained(30)).toList();
        together.forEach(each -> assertArrayEquals(alone, each));
    }

    @Test
    void adamWStepsAreThoseOfTheFormula() {
        TrainingOptions adamW = new TrainingOptions(Objective.of(0.5), 1e-2, 2, 10, 1e-3, 0.1, 0.9, 0.95, 1e-8, 0,
                Optimizer.ADAMW, false, MatrixPrecision.FP32);
        List<TrainingSequence> batch = Fixtures.batch(2, VOCABULARY, 4, 10, 5);
        try (Student student = Student.create(Fixtures.TINY, adamW, 1);
                Student probe = Student.create(Fixtures.TINY, Fixtures.options(0.5, 1, Optimizer.SGD), 1)) {
            double[] m = new double[student.parameters().length];
            double[] v = new double[m.length];
            for (int step = 0; step < 4; step++) {
                float[] before = student.parameters();
                float[] gradient = gradient(probe, before, batch);
                student.step(batch, step);
                double rate = new WarmupCosine(1e-2, 1e-3, 2, 10).valueAt(step, 0);
                float[] after = student.parameters();
                float[] state = student.updaterState();
                for (int i = 0; i < m.length; i++) {
                    // The gradient is known from a step of SGD, to a rounding of the parameter.
                    assertEquals(0.9 * m[i] + 0.1 * gradient[i], state[i], 1e-7);
                    assertEquals(0.95 * v[i] + 0.05 * gradient[i] * gradient[i], state[m.length + i], 1e-7);
                    m[i] = state[i];
                    v[i] = state[m.length + i];
                    double correction = Math.sqrt(1 - Math.pow(0.95, step + 1)) / (1 - Math.pow(0.9, step + 1));
                    double decay = isNorm(i) ? 0 : 0.1 * before[i];
                    double expected = before[i] - rate * (correction * m[i] / (Math.sqrt(v[i]) + 1e-8) + decay);
                    assertEquals(expected, after[i], 3e-7, "parameter " + i + " at step " + step);
                }
            }
        }
    }

    @Test
    void clippingScalesTheWholeGradientToTheLimit() {
        List<TrainingSequence> batch = Fixtures.batch(2, VOCABULARY, 4, 10, 5);
        TrainingOptions clipped = new TrainingOptions(Objective.of(0.5), 1, 0, 10, 1, 0, 0.9, 0.95, 1e-8, 0.01,
                Optimizer.SGD, false, MatrixPrecision.FP32);
        try (Student student = Student.create(Fixtures.TINY, clipped, 1);
                Student probe = Student.create(Fixtures.TINY, Fixtures.options(0.5, 1, Optimizer.SGD), 1)) {
            float[] before = student.parameters();
            float[] gradient = gradient(probe, before, batch);
            double norm = 0;
            for (float each : gradient) {
                norm += (double) each * each;
            }
            norm = Math.sqrt(norm);
            assertTrue(norm > 0.02);
            student.step(batch, 0);
            float[] after = student.parameters();
            for (int i = 0; i < before.length; i++) {
                assertEquals(before[i] - gradient[i] * 0.01 / norm, after[i], 1e-6);
            }
        }
    }

    @Test
    void twoHalfBatchesAveragedByPositionsAreOneWholeBatch() {
        List<TrainingSequence> whole = Fixtures.batch(3, VOCABULARY, 4, 10, 5, 20, 3);
        TrainingOptions sgd = Fixtures.options(0.5, 0.5, Optimizer.SGD);
        float[] together;
        try (Student student = Student.create(Fixtures.TINY, sgd, 1)) {
            student.step(whole, 0);
            together = student.parameters();
        }
        float[][] halves = new float[2][];
        long[] positions = new long[2];
        for (int half = 0; half < 2; half++) {
            try (Student student = Student.create(Fixtures.TINY, sgd, 1)) {
                positions[half] = student.step(whole.subList(2 * half, 2 * half + 2), 0).positions();
                halves[half] = student.parameters();
                assertEquals(0, student.updaterState().length);
            }
        }
        for (int i = 0; i < together.length; i++) {
            double mean = (halves[0][i] * positions[0] + halves[1][i] * positions[1])
                    / (positions[0] + positions[1]);
            assertEquals(mean, together[i], 1e-5);
        }
    }

    @Test
    void positionsThatDoNotCountAreReadButNotLearntFrom() {
        TrainingSequence whole = Fixtures.batch(4, VOCABULARY, 4, 10).get(0);
        boolean[] second = new boolean[9];
        java.util.Arrays.fill(second, 5, 9, true);
        boolean[] first = new boolean[9];
        java.util.Arrays.fill(first, 0, 5, true);
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            StepLoss all = student.loss(List.of(whole));
            StepLoss ofFirst = student.loss(List.of(new TrainingSequence(whole.tokens(), whole.targets(), first)));
            StepLoss ofSecond = student.loss(List.of(new TrainingSequence(whole.tokens(), whole.targets(), second)));
            assertEquals(5, ofFirst.positions());
            assertEquals(4, ofSecond.positions());
            assertEquals(9 * all.kl(), 5 * ofFirst.kl() + 4 * ofSecond.kl(), 1e-5);
            float[] before = student.parameters();
            StepLoss none = student.step(List.of(new TrainingSequence(whole.tokens(), whole.targets(), new boolean[9])), 0);
            assertEquals(0, none.positions());
            assertArrayEquals(before, student.parameters());
        }
    }

    @Test
    void alphaGoesInALineFromTheFirstStepToTheLast() {
        Objective objective = new Objective(1, 0.2, Divergence.FORWARD_KL, Tail.GHOST);
        assertEquals(1, objective.alphaAt(0, 5));
        assertEquals(0.6, objective.alphaAt(2, 5), 1e-12);
        assertEquals(0.2, objective.alphaAt(4, 5), 1e-12);
        assertEquals(0.2, objective.alphaAt(9, 5), 1e-12);
        assertEquals(1, objective.alphaAt(0, 1), 1e-12);
        List<TrainingSequence> batch = Fixtures.batch(4, VOCABULARY, 4, 10);
        TrainingOptions scheduled = new TrainingOptions(objective, 0, 0, 5, 0, 0, 0.9, 0.95, 1e-8, 0, Optimizer.SGD, false, MatrixPrecision.FP32);
        try (Student student = Student.create(Fixtures.TINY, scheduled, 1)) {
            StepLoss first = student.step(batch, 0);
            StepLoss last = student.step(batch, 4);
            assertEquals(first.kl(), first.total(), 1e-12);
            assertEquals(0.2 * last.kl() + 0.8 * last.crossEntropy(), last.total(), 1e-12);
        }
    }

    @Test
    void gradientCheckpointingTeachesTheSameBits() {
        List<TrainingSequence> batch = Fixtures.batch(2, VOCABULARY, 4, 40, 35);
        float[][] learnt = new float[2][];
        for (int i = 0; i < 2; i++) {
            TrainingOptions options = new TrainingOptions(Objective.of(0.5), 1e-2, 0, 10, 1e-3, 0.1, 0.9, 0.95, 1e-8, 1,
                    Optimizer.ADAMW, i == 1, MatrixPrecision.FP32);
            try (Student student = Student.create(Fixtures.TINY, options, 3)) {
                for (int step = 0; step < 3; step++) {
                    student.step(batch, step);
                }
                learnt[i] = student.parameters();
            }
        }
        assertArrayEquals(learnt[0], learnt[1]);
    }

    @Test
    void anyNumberOfThreadsComputesTheSameBits() {
        List<TrainingSequence> batch = Fixtures.batch(2, VOCABULARY, 4, 60, 60, 50, 60, 40);
        float[][] learnt = new float[3][];
        for (int threads = 1; threads <= 3; threads++) {
            Student.setThreads(threads);
            try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 3)) {
                student.step(batch, 0);
                learnt[threads - 1] = student.parameters();
            }
        }
        Student.setThreads(1);
        assertArrayEquals(learnt[0], learnt[1]);
        assertArrayEquals(learnt[0], learnt[2]);
    }

    @Test
    void aStudentGoesOnWhereAnotherStopped() {
        List<TrainingSequence> batch = Fixtures.batch(2, VOCABULARY, 4, 10, 5);
        try (Student first = Student.create(Fixtures.TINY, Fixtures.adamW(), 1);
                Student second = Student.create(Fixtures.TINY, Fixtures.adamW(), 2)) {
            first.step(batch, 0);
            first.step(batch, 1);
            float[] state = first.updaterState();
            assertEquals(2 * first.parameters().length, state.length);
            second.setParameters(first.parameters());
            second.setUpdaterState(state);
            assertArrayEquals(state, second.updaterState());
            first.step(batch, 2);
            second.step(batch, 2);
            assertArrayEquals(first.parameters(), second.parameters());
        }
    }

    @Test
    void theStateBeforeTheFirstStepIsKnownWithoutOne() {
        for (Optimizer optimizer : Optimizer.values()) {
            try (Student student = Student.create(Fixtures.TINY, Fixtures.options(0.5, 1e-3, optimizer), 1)) {
                assertArrayEquals(new float[student.updaterStateLength()], student.updaterState());
            }
        }
    }

    @Test
    void rateClimbsInALineAndFallsAlongACosine() {
        WarmupCosine schedule = new WarmupCosine(1, 0.2, 4, 12);
        assertEquals(0.25, schedule.valueAt(0, 0), 1e-12);
        assertEquals(1, schedule.valueAt(3, 0), 1e-12);
        assertEquals(1, schedule.valueAt(4, 0), 1e-12);
        assertEquals(0.6, schedule.valueAt(8, 0), 1e-12);
        assertEquals(0.2, schedule.valueAt(12, 0), 1e-12);
        assertEquals(0.2, schedule.valueAt(100, 0), 1e-12);
    }

    @Test
    void arraysOfABatchAreFreedAtOnce() {
        LabelledBatch arrays = LabelledBatch.of(Fixtures.batch(2, VOCABULARY, 4, 30, 20), Fixtures.TINY,
                DataType.FLOAT);
        arrays.close();
        assertTrue(arrays.features().wasClosed() && arrays.labels().wasClosed() && arrays.featuresMask().wasClosed()
                && arrays.labelsMask().wasClosed());
    }

    private static float[] gradient(Student probe, float[] parameters, List<TrainingSequence> batch) {
        probe.setParameters(parameters);
        probe.step(batch, 0);
        float[] after = probe.parameters();
        for (int i = 0; i < after.length; i++) {
            after[i] = parameters[i] - after[i];
        }
        return after;
    }

    private static boolean isNorm(int parameter) {
        long at = 0;
        for (var tensor : Weights.shapes(Fixtures.TINY).entrySet()) {
            at += Weights.count(tensor.getValue());
            if (parameter < at) {
                return tensor.getKey().endsWith("norm.weight");
            }
        }
        throw new AssertionError();
    }

    private static float[] created(long seed) {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), seed)) {
            return student.parameters();
        }
    }

    private static float[] trained(int steps) {
        List<TrainingSequence> batch = Fixtures.batch(2, VOCABULARY, 4, 40, 35);
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 3)) {
            for (int step = 0; step < steps; step++) {
                student.step(batch, step);
            }
            return student.parameters();
        }
    }
}
