// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.Fixtures;
import org.potstill.student.Student;
import org.potstill.student.batch.LabelledBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.dl4j.DecoderLayerConf;
import org.potstill.student.loss.StepLoss;

class DecoderTest {
    static Stream<CausalLmConfig> shapes() {
        return Stream.concat(Fixtures.FAMILIES.stream(), Stream.of(
                // As many key heads as query heads; one for all; heads wider than hiddenSize / heads.
                new CausalLmConfig(300, 16, 24, 1, 2, 2, 8, 64, 1e-6f, 10_000f, true),
                new CausalLmConfig(29, 16, 24, 3, 4, 1, 4, 64, 1e-5f, 100_000f, true),
                new CausalLmConfig(29, 8, 8, 1, 3, 1, 10, 64, 1e-5f, 10_000f, true)));
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void logitsAndLossesAreThoseOfTheNaiveTwin(CausalLmConfig config) {
        try (Student student = wideStudent(config)) {
            NaiveDecoder naive = new NaiveDecoder(config, student.parameters());
            int[] ids = new Random(3).ints(11, 0, config.vocabSize()).toArray();
            float[] logits = student.logits(ids);
            double[][] expected = naive.logits(ids);
            for (int t = 0; t < ids.length; t++) {
                for (int v = 0; v < config.vocabSize(); v++) {
                    assertEquals(expected[t][v], logits[t * config.vocabSize() + v], 2e-5);
                }
            }
            List<TrainingSequence> batch = Fixtures.batch(9, config.vocabSize(), 5, 7, 2, 12);
            StepLoss loss = student.loss(batch);
            double[] losses = naive.losses(batch);
            assertEquals(losses[0], loss.kl(), 1e-5);
            assertEquals(losses[1], loss.crossEntropy(), 1e-5);
            assertEquals(0.5 * losses[0] + 0.5 * losses[1], loss.total(), 1e-5);
            assertEquals(6 + 1 + 11, loss.positions());
        }
    }

    @Test
    void whatTheTeacherSaysOfIdsThatTheStudentLacksIsLeftOut() {
        int vocabSize = Fixtures.TINY.vocabSize();
        TrainingSequence whole = Fixtures.batch(9, vocabSize, 4, 8).get(0);
        SoftTargets of = whole.targets();
        // As before, on a tenth less of the mass, and that tenth on an id beyond the table.
        int positions = of.positions();
        int[] offsets = new int[positions + 1];
        int[] ids = new int[5 * positions];
        float[] probabilities = new float[5 * positions];
        for (int t = 0; t < positions; t++) {
            offsets[t + 1] = 5 * (t + 1);
            for (int i = 0; i < 4; i++) {
                ids[5 * t + i] = of.ids()[4 * t + i];
                probabilities[5 * t + i] = 0.9f * of.probabilities()[4 * t + i];
            }
            ids[5 * t + 4] = vocabSize + t;
            probabilities[5 * t + 4] = 0.1f;
        }
        try (Student student = wideStudent(Fixtures.TINY)) {
            StepLoss expected = student.loss(List.of(whole));
            StepLoss loss = student.loss(List.of(new TrainingSequence(whole.tokens(), new SoftTargets(offsets, ids, probabilities))));
            assertEquals(expected.kl(), loss.kl(), 1e-5);
            assertEquals(expected.crossEntropy(), loss.crossEntropy());
        }
    }

    @Test
    void aLaterTokenChangesNoEarlierLogit() {
        try (Student student = wideStudent(Fixtures.TINY)) {
            int vocabSize = Fixtures.TINY.vocabSize();
            int[] ids = new Random(4).ints(20, 0, vocabSize).toArray();
            float[] before = student.logits(ids);
            int changed = 13;
            ids[changed] = (ids[changed] + 1) % vocabSize;
            float[] after = student.logits(ids);
            assertArrayEquals(Arrays.copyOf(before, changed * vocabSize), Arrays.copyOf(after, changed * vocabSize));
            assertNotEquals(before[changed * vocabSize], after[changed * vocabSize]);
        }
    }

    @Test
    void batchMatesAndTheirPaddingDoNotMatter() {
        List<TrainingSequence> batch = Fixtures.batch(5, Fixtures.TINY.vocabSize(), 4, 9, 21, 2);
        try (Student student = wideStudent(Fixtures.TINY)) {
            double kl = 0;
            double crossEntropy = 0;
            for (TrainingSequence sequence : batch) {
                StepLoss alone = student.loss(List.of(sequence));
                kl += alone.kl() * alone.positions();
                crossEntropy += alone.crossEntropy() * alone.positions();
            }
            StepLoss together = student.loss(batch);
            assertEquals(29, together.positions());
            assertEquals(kl / 29, together.kl(), 1e-6);
            assertEquals(crossEntropy / 29, together.crossEntropy(), 1e-6);
        }
    }

    @Test
    void theNetworksOwnOutputPadsWithZeros() {
        var network = DecoderLayerConf.network(Fixtures.TINY, Fixtures.adamW(), 1, org.nd4j.linalg.api.buffer.DataType.FLOAT);
        network.init();
        int vocabSize = Fixtures.TINY.vocabSize();
        List<TrainingSequence> batch = Fixtures.batch(5, vocabSize, 4, 4, 7);
        try (LabelledBatch arrays = LabelledBatch.of(batch, Fixtures.TINY, org.nd4j.linalg.api.buffer.DataType.FLOAT);
                Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            float[] out = network.output(arrays.features(), false, arrays.featuresMask(), null).data().asFloat();
            float[] second = student.logits(Arrays.copyOf(batch.get(1).tokens(), 6));
            assertArrayEquals(new float[3 * vocabSize], Arrays.copyOfRange(out, 3 * vocabSize, 6 * vocabSize));
            assertArrayEquals(second, Arrays.copyOfRange(out, 6 * vocabSize, 12 * vocabSize), 1e-6f);
        }
    }

    /** Random weights far wider than initial ones, so that no part is near its linear middle. */
    private static Student wideStudent(CausalLmConfig config) {
        Student student = Student.create(config, Fixtures.adamW(), 11);
        float[] parameters = student.parameters();
        Random random = new Random(2);
        for (int i = 0; i < parameters.length; i++) {
            parameters[i] = (float) (0.3 * random.nextGaussian());
        }
        student.setParameters(parameters);
        return student;
    }
}
