// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.errors.UserException;
import org.potstill.student.Fixtures;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.Weights;
import org.potstill.student.loss.Divergence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.loss.Tail;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/** The training graph, in fp32 on the CPU, beside the fused decoder and its optimizer. */
class OnnxTrainerTest {
    private static final int CHUNK = 4;

    static Stream<Arguments> cases() {
        Stream<Arguments> objectives = Stream.of(Divergence.values()).flatMap(divergence -> Stream.of(Tail.values())
                .map(tail -> Arguments.of(new Objective(0.6, 0.2, divergence, tail), Fixtures.TINY)));
        return Stream.concat(objectives, Fixtures.FAMILIES.stream().map(config -> Arguments.of(Objective.of(0.5), config)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void lossesAndGradientsAreThoseOfTheFusedDecoder(Objective objective, CausalLmConfig config) {
        // With these betas the first moments after a step are the gradient.
        TrainingOptions options = options(objective, 0, 0, 0);
        for (List<TrainingSequence> batch : List.of(batch(), Fixtures.batch(3, 37, 37, 5, 2, 12), Fixtures.batch(4, 37, 1, 8))) {
            try (Student expected = wide(config, options); Student student = wide(config, options);
                    OnnxTrainer trainer = trainer(config, options)) {
                StepLoss loss = expected.step(batch, 3);
                OnnxTrainer.Step step = train(trainer, student, List.of(batch), 3).get(0);
                assertSame(loss, expected.gradientNorm(), step, 1e-5);
                assertSameTensors(config, expected.updaterState(), student.updaterState(), 1e-5);
            }
        }
    }

    @Test
    void theGradientIsThatOfTheLoss() {
        TrainingOptions options = options(new Objective(0.7, 0.7, Divergence.JSD, Tail.GHOST), 0, 0, 0);
        List<TrainingSequence> batch = batch();
        try (Student student = wide(Fixtures.TINY, options); OnnxTrainer trainer = trainer(Fixtures.TINY, options)) {
            float[] parameters = student.parameters();
            train(trainer, student, List.of(batch), 0);
            float[] gradient = student.updaterState();
            long offset = 0;
            for (Map.Entry<String, long[]> tensor : Weights.shapes(Fixtures.TINY).entrySet()) {
                int from = (int) offset;
                int to = (int) (offset += Weights.count(tensor.getValue()));
                double norm = norm(gradient, from, to);
                double distance = 0.02;
                double[] losses = new double[2];
                for (int side = 0; side < 2; side++) {
                    float[] moved = parameters.clone();
                    for (int i = from; i < to; i++) {
                        moved[i] += (float) ((side == 0 ? -distance : distance) * gradient[i] / norm);
                    }
                    student.setParameters(moved);
                    losses[side] = train(trainer, student, List.of(batch), 0).get(0).loss().total();
                }
                assertEquals(norm, (losses[1] - losses[0]) / (2 * distance), 2e-3 * norm + 5e-5, tensor.getKey());
            }
        }
    }

    static Stream<Arguments> clips() {
        return Stream.of(0.0, 0.05, 1e6).map(Arguments::of);
    }

    @ParameterizedTest
    @MethodSource("clips")
    void manyStepsAtOnceAreTheStepsOfTheStudent(double maxGradientNorm) {
        TrainingOptions options = options(new Objective(0.8, 0.1, Divergence.FORWARD_KL, Tail.GHOST), 0.9, 0.95, maxGradientNorm);
        List<List<TrainingSequence>> batches = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            batches.add(Fixtures.batch(i, 37, 3 + i, 4 + 2 * i, 9, 3));
        }
        TrainingSequence masked = batches.get(2).get(0);
        batches.set(2, List.of(new TrainingSequence(masked.tokens(), masked.targets(), new boolean[masked.tokens().length - 1])));
        try (Student expected = wide(Fixtures.TINY, options); Student student = wide(Fixtures.TINY, options);
                OnnxTrainer trainer = trainer(Fixtures.TINY, options)) {
            float[] begin = student.parameters();
            List<OnnxTrainer.Step> steps = train(trainer, student, batches, 2);
            for (int i = 0; i < batches.size(); i++) {
                StepLoss loss = expected.step(batches.get(i), 2 + i);
                assertSame(loss, expected.gradientNorm(), steps.get(i), 1e-5);
            }
            assertSameTensors(Fixtures.TINY, expected.updaterState(), student.updaterState(), 1e-5);
            assertClose(minus(expected.parameters(), begin), minus(student.parameters(), begin), 1e-4, 0, "parameters");
        }
    }

    @Test
    void theSameStepsGiveTheSameBytesInOneRunOrInTwo() {
        TrainingOptions options = options(Objective.of(0.5), 0.9, 0.95, 1);
        List<List<TrainingSequence>> batches = List.of(Fixtures.batch(1, 37, 4, 5, 9), Fixtures.batch(2, 37, 4, 5, 9), Fixtures.batch(3, 37, 4, 9));
        try (Student once = wide(Fixtures.TINY, options); Student twice = wide(Fixtures.TINY, options);
                OnnxTrainer trainer = trainer(Fixtures.TINY, options)) {
            train(trainer, once, batches, 0);
            train(trainer, twice, batches.subList(0, 2), 0);
            train(trainer, twice, batches.subList(2, 3), 2);
            assertArrayEquals(once.parameters(), twice.parameters());
            assertArrayEquals(once.updaterState(), twice.updaterState());
        }
    }

    @Test
    void aStepThatDivergesIsTheLastAndLeavesTheStudentAsItWas() {
        TrainingOptions options = options(Objective.of(0.5), 0.9, 0.95, 1);
        try (Student student = wide(Fixtures.TINY, options); OnnxTrainer trainer = trainer(Fixtures.TINY, options)) {
            float[] parameters = student.parameters();
            parameters[5] = Float.POSITIVE_INFINITY;
            student.setParameters(parameters);
            List<OnnxTrainer.Step> steps = train(trainer, student, List.of(batch(), batch()), 0);
            assertEquals(1, steps.size());
            assertTrue(Double.isNaN(steps.get(0).loss().total()));
            assertArrayEquals(parameters, student.parameters());
        }
    }

    /** The products themselves in bfloat16 need a GPU: their rounding is emulated here. */
    @Test
    void bf16RoundsLinearProductsOnly() {
        TrainingOptions options = options(Objective.of(0.5), 0, 0, 0);
        List<TrainingSequence> batch = batch();
        assertThrows(UserException.class, () -> OnnxTrainer.open(Fixtures.TINY, options, LinearProducts.Precision.BF16, CHUNK, 1, -1));
        try (Student expected = wide(Fixtures.TINY, options); Student student = wide(Fixtures.TINY, options);
                OnnxTrainer trainer = OnnxTrainer.open(Fixtures.TINY, options, LinearProducts.Precision.BF16_EMULATED, CHUNK, 1, -1)) {
            expected.step(batch, 0);
            OnnxTrainer.Step step = train(trainer, student, List.of(batch), 0).get(0);
            int n = student.parameterCount();
            float[] gradient = Arrays.copyOf(expected.updaterState(), n);
            float[] rounded = Arrays.copyOf(student.updaterState(), n);
            double distance = norm(minus(gradient, rounded), 0, n) / norm(gradient, 0, n);
            assertTrue(distance > 1e-4 && distance < 3e-2, "differs by " + distance);
            assertEquals(expected.gradientNorm(), step.gradientNorm(), 0.02 * expected.gradientNorm());
        }
    }

    @Test
    void whatTheGraphDoesNotHaveIsRefused() {
        TrainingOptions sgd = Fixtures.options(0.5, 1e-2, TrainingOptions.Optimizer.SGD);
        assertFalse(OnnxTrainer.supports(sgd));
        UserException refused = assertThrows(UserException.class, () -> OnnxTrainer.requireSupport(sgd));
        assertTrue(refused.getMessage().contains("SGD"), refused.getMessage());
    }

    private static List<OnnxTrainer.Step> train(OnnxTrainer trainer, Student student, List<List<TrainingSequence>> batches, int firstStep) {
        return trainer.train(student, batches.size(), i -> trainer.pack(batches.get(i)), firstStep);
    }

    private static OnnxTrainer trainer(CausalLmConfig config, TrainingOptions options) {
        return OnnxTrainer.open(config, options, LinearProducts.Precision.FP32, CHUNK, 1, -1);
    }

    private static TrainingOptions options(Objective objective, double beta1, double beta2, double maxGradientNorm) {
        return new TrainingOptions(objective, 1e-2, 2, 10, 1e-3, 0.1, beta1, beta2, 1e-8, maxGradientNorm,
                TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.FP32);
    }

    /** Of three lengths; two positions are masked. */
    private static List<TrainingSequence> batch() {
        List<TrainingSequence> sequences = Fixtures.batch(7, 37, 4, 6, 3, 9);
        boolean[] counted = {true, false, false, true, true};
        sequences.set(0, new TrainingSequence(sequences.get(0).tokens(), sequences.get(0).targets(), counted));
        return sequences;
    }

    /** Random weights far wider than initial ones, so that no part is near its linear middle. */
    private static Student wide(CausalLmConfig config, TrainingOptions options) {
        Student student = Student.create(config, options, 11);
        float[] parameters = student.parameters();
        Random random = new Random(2);
        for (int i = 0; i < parameters.length; i++) {
            parameters[i] = (float) (0.3 * random.nextGaussian());
        }
        student.setParameters(parameters);
        return student;
    }

    private static void assertSame(StepLoss loss, double norm, OnnxTrainer.Step step, double tolerance) {
        assertEquals(loss.total(), step.loss().total(), tolerance);
        assertEquals(loss.kl(), step.loss().kl(), tolerance);
        assertEquals(loss.crossEntropy(), step.loss().crossEntropy(), tolerance);
        assertEquals(loss.positions(), step.loss().positions());
        assertEquals(norm, step.gradientNorm(), tolerance * norm);
    }

    /** Compares first and second moments of each tensor, relative to its norm, or to a hundredth of the norm of all. */
    private static void assertSameTensors(CausalLmConfig config, float[] expected, float[] actual, double tolerance) {
        int offset = 0;
        for (int moments = 0; moments < 2; moments++) {
            double least = 0.01 * norm(expected, offset, offset + expected.length / 2);
            for (Map.Entry<String, long[]> tensor : Weights.shapes(config).entrySet()) {
                int end = (int) (offset + Weights.count(tensor.getValue()));
                assertClose(Arrays.copyOfRange(expected, offset, end), Arrays.copyOfRange(actual, offset, end), tolerance, least, tensor.getKey());
                offset = end;
            }
        }
    }

    private static void assertClose(float[] expected, float[] actual, double tolerance, double least, String what) {
        double norm = Math.max(least, norm(expected, 0, expected.length));
        double distance = norm(minus(expected, actual), 0, expected.length);
        assertTrue(distance <= tolerance * norm, what + " differs by " + distance / norm);
    }

    private static float[] minus(float[] a, float[] b) {
        float[] difference = new float[a.length];
        for (int i = 0; i < a.length; i++) {
            difference[i] = a[i] - b[i];
        }
        return difference;
    }

    private static double norm(float[] values, int from, int to) {
        double sum = 0;
        for (int i = from; i < to; i++) {
            sum += (double) values[i] * values[i];
        }
        return Math.sqrt(sum);
    }
}
