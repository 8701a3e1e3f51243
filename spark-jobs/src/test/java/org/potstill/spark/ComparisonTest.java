package org.potstill.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;
import org.potstill.spark.evaluate.ModelScore;

class ComparisonTest {
    private static final int VOCAB = 7;

    @Test
    void sumsEqualThoseOfPlainSoftmaxes() {
        Random random = new Random(5);
        int[] tokens = random.ints(21, 0, VOCAB).toArray();
        float[] teacher = logits(random, 20);
        float[] model = logits(random, 20);
        double loss = 0;
        double kl = 0;
        int correct = 0;
        int agreed = 0;
        for (int t = 0; t < 20; t++) {
            double[] p = softmax(teacher, t);
            double[] s = softmax(model, t);
            loss -= Math.log(s[tokens[t + 1]]);
            int bestP = 0;
            int bestS = 0;
            for (int v = 0; v < VOCAB; v++) {
                kl += p[v] * Math.log(p[v] / s[v]);
                bestP = p[v] > p[bestP] ? v : bestP;
                bestS = s[v] > s[bestS] ? v : bestS;
            }
            correct += bestS == tokens[t + 1] ? 1 : 0;
            agreed += bestS == bestP ? 1 : 0;
        }
        Comparison sums = Comparison.of(teacher, model, tokens, 2);
        assertEquals(20, sums.positions());
        assertEquals(loss, sums.loss(), 1e-6);
        assertEquals(kl, sums.kl(), 1e-6);
        assertEquals(correct, sums.correct());
        assertEquals(agreed, sums.agreed());
        ModelScore score = ModelScore.of("student", 3, 4, sums);
        assertEquals(Math.exp(loss / 20), score.perplexity(), 1e-6);
        assertEquals(10, score.tokensPerSecond());
    }

    @Test
    void tablesOfOtherLengthsAreComparedOverTheIdsThatBothHave() {
        Random random = new Random(6);
        int[] tokens = random.ints(21, 0, 5).toArray();
        float[] wide = logits(random, 20);
        float[] narrow = new float[20 * 5];
        double shorter = 0;
        double longer = 0;
        for (int t = 0; t < 20; t++) {
            double[] p = softmax(wide, t);
            double rest = 1 - p[5] - p[6];
            double[] s = new double[5];
            double sum = 0;
            for (int v = 0; v < 5; v++) {
                narrow[t * 5 + v] = (float) random.nextGaussian();
                s[v] = Math.exp(narrow[t * 5 + v]);
                sum += s[v];
            }
            for (int v = 0; v < 5; v++) {
                shorter += p[v] / rest * Math.log(p[v] / rest / (s[v] / sum));
                longer += s[v] / sum * Math.log(s[v] / sum / p[v]);
            }
        }
        Comparison ofShorter = Comparison.of(wide, narrow, tokens, 1);
        assertEquals(shorter, ofShorter.kl(), 1e-6);
        Comparison ofLonger = Comparison.of(narrow, wide, tokens, 1);
        assertEquals(longer, ofLonger.kl(), 1e-6);
        // Its text is judged by all of its own distribution.
        assertEquals(Comparison.of(wide, wide, tokens, 1).loss(), ofLonger.loss(), 1e-9);
    }

    @Test
    void aModelHasNoDivergenceFromItselfHoweverLargeItsLogits() {
        float[] logits = logits(new Random(1), 4);
        for (int i = 0; i < logits.length; i++) {
            logits[i] = 500 + 100 * logits[i];
        }
        Comparison sums = Comparison.of(logits, logits, new int[] {0, 1, 2, 3, 4}, 1);
        assertEquals(0, sums.kl());
        assertEquals(4, sums.agreed());
        assertTrue(Double.isFinite(sums.loss()));
    }

    private static float[] logits(Random random, int rows) {
        float[] logits = new float[rows * VOCAB];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) random.nextGaussian();
        }
        return logits;
    }

    private static double[] softmax(float[] logits, int row) {
        double[] p = new double[VOCAB];
        double sum = 0;
        for (int v = 0; v < VOCAB; v++) {
            p[v] = Math.exp(logits[row * VOCAB + v]);
            sum += p[v];
        }
        for (int v = 0; v < VOCAB; v++) {
            p[v] /= sum;
        }
        return p;
    }
}
