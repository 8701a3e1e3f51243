// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.potstill.softlabels.TargetSpec;

final class LogitScoresTest {
    private static ScoredSequence score(int k, int next, float... logits) {
        LogitScores scores = new LogitScores(new int[] {0, next}, logits.length, TargetSpec.topK(k));
        scores.add(0, 1, logits, ForkJoinPool.commonPool());
        return scores.result();
    }

    @Test
    void theSmallerIdsAreKeptAmongEqualLogits() {
        assertArrayEquals(new int[] {2, 0, 1}, score(3, 0, 1, 1, 5, 1, 1).targets().ids());
        assertArrayEquals(new int[] {0, 1}, score(2, 4, new float[50]).targets().ids());
    }

    @Test
    void everyKFindsWhatSortingFinds() {
        Random random = new Random(1);
        for (int round = 0; round < 200; round++) {
            float[] logits = new float[1 + random.nextInt(60)];
            for (int v = 0; v < logits.length; v++) {
                logits[v] = random.nextInt(20);
            }
            int k = 1 + random.nextInt(logits.length);
            int[] best = IntStream.range(0, logits.length).boxed()
                    .sorted((a, b) -> logits[a] != logits[b] ? Float.compare(logits[b], logits[a]) : a - b)
                    .limit(k).mapToInt(Integer::intValue).toArray();
            assertArrayEquals(best, score(k, 0, logits).targets().ids(), Arrays.toString(logits));
        }
    }

    @Test
    void largeLogitsNeitherOverflowNorLoseTheTail() {
        ScoredSequence scored = score(1, 1, 3e38f, 3e38f);
        assertEquals(0.5f, scored.targets().probabilities()[0]);
        assertEquals(-Math.log(2), scored.tokenLogProbabilities()[0], 1e-7);
        assertEquals(-200, score(1, 1, 100, -100).tokenLogProbabilities()[0], 1e-5);
    }

    @Test
    void whatIsNotFiniteIsAProblemOfTheSequence() {
        for (float[] logits : new float[][] {{1, Float.NaN, 2}, {1, Float.POSITIVE_INFINITY, 2},
                {Float.NEGATIVE_INFINITY, Float.NEGATIVE_INFINITY}}) {
            assertTrue(score(1, 0, logits).problem().contains("position 0"), Arrays.toString(logits));
        }
    }

    @Test
    void theEntropyIsThatOfTheWholeDistribution() {
        assertEquals(Math.log(4), score(1, 0, 7, 7, 7, 7).entropies()[0], 1e-6);
        assertEquals(0, score(1, 0, 7, Float.NEGATIVE_INFINITY).entropies()[0], 1e-6);
    }
}
