// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.decoder.NaiveDecoder;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.TrainingOptions;

class QualityBenchmarkTest {
    private static final int VOCABULARY = Fixtures.TINY.vocabSize();
    private static final int[] TOKENS = new Random(1).ints(12, 0, VOCABULARY).toArray();
    private static final int POSITIONS = TOKENS.length - 1;

    @TempDir
    private Path folder;

    /** Two positions come before them in the file. */
    private WholeDistributions distributions(float[] logits) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(2 * (2 * VOCABULARY + logits.length)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.position(4 * VOCABULARY);
        for (int row = 0; row < POSITIONS; row++) {
            float max = Float.NEGATIVE_INFINITY;
            for (int v = 0; v < VOCABULARY; v++) {
                max = Math.max(max, logits[row * VOCABULARY + v]);
            }
            for (int v = 0; v < VOCABULARY; v++) {
                bytes.putShort((short) Math.min(65535, Math.round(1024 * (max - logits[row * VOCABULARY + v]))));
            }
        }
        Files.write(folder.resolve("logits"), bytes.array());
        return new WholeDistributions(folder.resolve("logits"), VOCABULARY);
    }

    private static float[] random(long seed, double spread) {
        Random random = new Random(seed);
        float[] logits = new float[POSITIONS * VOCABULARY];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (spread * random.nextGaussian());
        }
        return logits;
    }

    private static double[] softmax(float[] logits, int row) {
        double[] z = new double[VOCABULARY];
        for (int v = 0; v < VOCABULARY; v++) {
            z[v] = logits[row * VOCABULARY + v];
        }
        return NaiveDecoder.softmax(z);
    }

    @Test
    void targetsAreTheTeachersProbabilitiesOfTheWholeVocabulary() throws IOException {
        float[] logits = random(2, 4);
        try (WholeDistributions whole = distributions(logits)) {
            SoftTargets targets = whole.targets(2, POSITIONS);
            for (int t = 0; t < POSITIONS; t++) {
                double[] expected = softmax(logits, t);
                assertEquals(VOCABULARY, targets.end(t) - targets.begin(t));
                for (int v = 0; v < VOCABULARY; v++) {
                    assertEquals(v, targets.ids()[targets.begin(t) + v]);
                    assertEquals(expected[v], targets.probabilities()[targets.begin(t) + v], 0.001 * expected[v]);
                }
            }
        }
    }

    @Test
    void scoresAreThoseOfTheirDefinitions() throws IOException {
        float[] teacher = random(3, 2);
        float[] student = random(4, 2);
        double loss = 0;
        double kl = 0;
        double agreed = 0;
        double correct = 0;
        double[] gaps = new double[15];
        for (int t = 0; t < POSITIONS; t++) {
            double[] p = softmax(teacher, t);
            double[] q = softmax(student, t);
            int best = best(q);
            loss -= Math.log(q[TOKENS[t + 1]]) / POSITIONS;
            for (int v = 0; v < VOCABULARY; v++) {
                kl += p[v] * Math.log(p[v] / q[v]) / POSITIONS;
            }
            agreed += best == best(p) ? 1.0 / POSITIONS : 0;
            correct += best == TOKENS[t + 1] ? 1.0 / POSITIONS : 0;
            gaps[(int) (15 * q[best])] += ((best == TOKENS[t + 1] ? 1 : 0) - q[best]) / POSITIONS;
        }
        double calibrationError = 0;
        for (double gap : gaps) {
            calibrationError += Math.abs(gap);
        }
        QualityBenchmark.Scores scores = new QualityBenchmark.Scores();
        try (WholeDistributions whole = distributions(teacher)) {
            scores.add(TOKENS, student, whole.read(2, POSITIONS));
        }
        assertEquals(Math.exp(loss), scores.perplexity(), 1e-4 * Math.exp(loss));
        assertEquals(kl, scores.kl(), 1e-3);
        assertEquals(agreed, scores.agreement(), 1e-9);
        assertEquals(correct, scores.accuracy(), 1e-9);
        assertEquals(calibrationError, scores.calibrationError(), 1e-6);
    }

    private static int best(double[] p) {
        int best = 0;
        for (int v = 1; v < p.length; v++) {
            best = p[v] > p[best] ? v : best;
        }
        return best;
    }

    @Test
    void aStudentsStepCarriesWholeDistributions() throws IOException {
        float[] teacher = random(5, 2);
        try (WholeDistributions whole = distributions(teacher);
                Student student = Student.create(Fixtures.TINY, Fixtures.options(1, 0, TrainingOptions.Optimizer.SGD), 1)) {
            QualityBenchmark.Scores scores = new QualityBenchmark.Scores();
            float[] logits = student.logits(java.util.Arrays.copyOf(TOKENS, POSITIONS));
            scores.add(TOKENS, logits, whole.read(2, POSITIONS));
            StepLoss loss = student.step(List.of(new TrainingSequence(TOKENS, whole.targets(2, POSITIONS))), 0);
            assertEquals(scores.kl(), loss.kl(), 1e-5);
            assertEquals(Math.log(scores.perplexity()), loss.crossEntropy(), 1e-5);
        }
    }
}
