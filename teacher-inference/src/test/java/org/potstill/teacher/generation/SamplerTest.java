// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.potstill.errors.UserException;

class SamplerTest {
    private static final int DRAWS = 60_000;

    private static int[] draws(SamplingOptions options, float[] logits, int count) {
        Sampler sampler = new Sampler(options);
        return IntStream.range(0, count).map(i -> sampler.next(logits)).toArray();
    }

    /** What each token's probability ought to be: the slow and obvious way. */
    private static Map<Integer, Double> naive(float[] logits, double temperature, int topK, double topP) {
        List<Integer> ids = new ArrayList<>(IntStream.range(0, logits.length).boxed().toList());
        ids.sort(Comparator.comparing((Integer id) -> -logits[id]).thenComparing(id -> id));
        if (topK > 0) {
            ids = ids.subList(0, Math.min(topK, ids.size()));
        }
        double[] all = ids.stream().mapToDouble(id -> Math.exp(logits[id] / temperature)).toArray();
        double sum = Arrays.stream(all).sum();
        Map<Integer, Double> kept = new HashMap<>();
        double before = 0;
        for (int i = 0; i < all.length && before < topP; i++) {
            kept.put(ids.get(i), all[i] / sum);
            before += all[i] / sum;
        }
        double mass = before;
        kept.replaceAll((id, p) -> p / mass);
        return kept;
    }

    @Test
    void temperatureZeroTakesTheMostProbableTokenAndTheFirstOfEqualOnes() {
        assertArrayEquals(new int[] {2, 2, 2}, draws(SamplingOptions.GREEDY, new float[] {-3, 1, 7, 7, 2}, 3));
    }

    @Test
    void drawsAreAsFrequentAsTheNaiveDistributionSays() {
        Random random = new Random(5);
        double[][] cases = {{1, 0, 1}, {0.7, 0, 1}, {2, 3, 1}, {1, 0, 0.8}, {0.5, 5, 0.6}, {1, 0, 1e-9}, {1.5, 100, 0.95}};
        for (double[] options : cases) {
            float[] logits = new float[12];
            for (int i = 0; i < logits.length; i++) {
                logits[i] = (float) (1.5 * random.nextGaussian());
            }
            Map<Integer, Double> expected = naive(logits, options[0], (int) options[1], options[2]);
            int[] counts = new int[logits.length];
            for (int id : draws(new SamplingOptions(options[0], (int) options[1], options[2], 3), logits, DRAWS)) {
                counts[id]++;
            }
            for (int id = 0; id < counts.length; id++) {
                double p = expected.getOrDefault(id, 0.0);
                // Five standard deviations of a binomial; what is cut off never comes.
                assertEquals(p, counts[id] / (double) DRAWS, 5 * Math.sqrt(p * (1 - p) / DRAWS), id + " of " + Arrays.toString(options));
            }
        }
    }

    @Test
    void theSameSeedGivesTheSameTokensAndAnotherSeedOthers() {
        float[] flat = new float[1000];
        int[] one = draws(new SamplingOptions(1, 0, 1, 7), flat, 20);
        assertArrayEquals(one, draws(new SamplingOptions(1, 0, 1, 7), flat, 20));
        assertFalse(Arrays.equals(one, draws(new SamplingOptions(1, 0, 1, 8), flat, 20)));
    }

    @Test
    void logitsFarApartAndNegativeZeroAreInOrder() {
        float[] logits = {-1e30f, 0f, -0f, 1e30f, -5f};
        assertArrayEquals(new int[] {3, 3}, draws(new SamplingOptions(1, 0, 1, 1), logits, 2));
        float[] zeros = {-0f, 0f, -1f};
        assertTrue(Arrays.stream(draws(new SamplingOptions(1, 1, 1, 1), zeros, 20)).allMatch(id -> id == 0));
    }

    @Test
    void optionsThatMeanNothingAreRefused() {
        assertThrows(UserException.class, () -> new SamplingOptions(-1, 0, 1, 0));
        assertThrows(UserException.class, () -> new SamplingOptions(Double.NaN, 0, 1, 0));
        assertThrows(UserException.class, () -> new SamplingOptions(1, -1, 1, 0));
        assertThrows(UserException.class, () -> new SamplingOptions(1, 0, 0, 0));
        assertThrows(UserException.class, () -> new SamplingOptions(1, 0, 1.1, 0));
    }
}
