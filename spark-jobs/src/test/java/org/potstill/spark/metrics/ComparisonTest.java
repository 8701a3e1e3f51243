// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.metrics;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ComparisonTest {
    private static final int ROWS = 40;

    /** Vocabularies below, at and above a vector's length; the model's table is longer than the teacher's. */
    @ParameterizedTest
    @ValueSource(ints = {7, 16, 1003})
    void sumsEqualThoseOfPlainSoftmaxesInDoublePrecision(int vocab) {
        Random random = new Random(5);
        int[] tokens = random.ints(ROWS + 1, 0, vocab).toArray();
        float[] teacher = logits(random, ROWS * (vocab + 3));
        float[] model = logits(random, ROWS * (vocab + 5));
        double loss = 0;
        double kl = 0;
        int correct = 0;
        int agreed = 0;
        int agreedInFive = 0;
        double[] confidence = new double[Calibration.BINS];
        long[] right = new long[Calibration.BINS];
        for (int t = 0; t < ROWS; t++) {
            double[] p = softmax(teacher, t * (vocab + 3), vocab);
            double[] s = softmax(model, t * (vocab + 5), vocab);
            loss -= Math.log(s[tokens[t + 1]]);
            int bestP = best(p);
            int bestS = best(s);
            for (int v = 0; v < vocab; v++) {
                kl += p[v] * Math.log(p[v] / s[v]);
            }
            correct += bestS == tokens[t + 1] ? 1 : 0;
            agreed += bestS == bestP ? 1 : 0;
            agreedInFive += Arrays.stream(s).filter(q -> q > s[bestP]).count() < 5 ? 1 : 0;
            int bin = (int) Math.ceil(s[bestS] * Calibration.BINS) - 1;
            confidence[bin] += s[bestS];
            right[bin] += bestS == tokens[t + 1] ? 1 : 0;
        }
        double error = 0;
        for (int bin = 0; bin < Calibration.BINS; bin++) {
            error += Math.abs(right[bin] - confidence[bin]) / ROWS;
        }
        Comparison sums = compare(teacher, vocab + 3, model, vocab + 5, vocab, tokens);
        assertEquals(ROWS, sums.positions());
        assertEquals(loss, sums.loss(), 1e-4);
        assertEquals(kl, sums.kl(), 1e-4);
        assertEquals(correct, sums.correct());
        assertEquals(agreed, sums.agreed());
        assertEquals(agreedInFive, sums.agreedInFive());
        assertEquals(error, sums.calibration().error(), 1e-6);
        assertEquals(Math.exp(loss / ROWS), sums.perplexity(), 1e-3 * sums.perplexity());
    }

    @Test
    void aModelHasNoDivergenceFromItselfHoweverLargeItsLogits() {
        float[] logits = logits(new Random(1), 4 * 7);
        for (int i = 0; i < logits.length; i++) {
            logits[i] = 500 + 100 * logits[i];
        }
        Comparison sums = compare(logits, 7, logits, 7, 7, new int[] {0, 1, 2, 3, 4});
        assertEquals(0, sums.kl());
        assertEquals(4, sums.agreed());
        assertTrue(sums.isFinite());
    }

    @Test
    void ofEquallyProbableTokensTheFirstIsTheChoiceOfBoth() {
        float[] teacher = {1, 3, 3, 0, 0, 0, 0};
        float[] model = {2, 2, 2, 2, 2, 2, 2};
        Comparison sums = compare(teacher, 7, model, 7, 7, new int[] {5, 0});
        assertEquals(1, sums.correct());
        assertEquals(0, sums.agreed());
        assertEquals(1, sums.agreedInFive());
    }

    @Test
    void logitsThatAreNoNumbersMakeTheSumNotFinite() {
        float[] teacher = logits(new Random(1), 2 * 64);
        float[] model = teacher.clone();
        model[70] = Float.NaN;
        assertFalse(compare(teacher, 64, model, 64, 64, new int[] {1, 2, 3}).isFinite());
        assertFalse(compare(model, 64, teacher, 64, 64, new int[] {1, 2, 3}).isFinite());
    }

    @Test
    void sumsAreTheSameBitsForAnyNumberOfThreads() {
        Random random = new Random(2);
        float[] teacher = logits(random, ROWS * 300);
        float[] model = logits(random, ROWS * 300);
        int[] tokens = random.ints(ROWS + 1, 0, 300).toArray();
        try (DistributionComparer one = new DistributionComparer(300, 1); DistributionComparer four = new DistributionComparer(300, 4)) {
            Comparison alone = one.compare(one.logits(teacher, 300), List.of(one.logits(model, 300)), tokens).get(0);
            Comparison shared = four.compare(four.logits(teacher, 300), List.of(four.logits(model, 300)), tokens).get(0);
            assertEquals(alone.kl(), shared.kl());
            assertEquals(alone.loss(), shared.loss());
        }
    }

    private static Comparison compare(float[] teacher, int teacherColumns, float[] model, int modelColumns, int vocab, int[] tokens) {
        try (DistributionComparer comparer = new DistributionComparer(vocab, 2)) {
            return comparer.compare(comparer.logits(teacher, teacherColumns), List.of(comparer.logits(model, modelColumns)), tokens).get(0);
        }
    }

    private static int best(double[] p) {
        int best = 0;
        for (int v = 1; v < p.length; v++) {
            best = p[v] > p[best] ? v : best;
        }
        return best;
    }

    private static float[] logits(Random random, int count) {
        float[] logits = new float[count];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (2 * random.nextGaussian());
        }
        return logits;
    }

    private static double[] softmax(float[] logits, int from, int vocab) {
        double[] p = new double[vocab];
        double sum = 0;
        for (int v = 0; v < vocab; v++) {
            p[v] = Math.exp(logits[from + v]);
            sum += p[v];
        }
        for (int v = 0; v < vocab; v++) {
            p[v] /= sum;
        }
        return p;
    }
}
