// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.cache.Labels;

/** What no codec of ours lets by, and the cache of another's might. */
class RowCheckTest {
    private static final TargetSpec GHOST = TargetSpec.topK(2);
    private static final TargetSpec DRAWN = TargetSpec.systematic(50, 0);

    private static String wrong(TargetSpec spec, int[] ids, float... probabilities) {
        String print = "0".repeat(64);
        return new RowCheck(new Labels(print, print, 100, spec)).wrong(new SoftTargets(new int[] {0, ids.length}, ids, probabilities), 0);
    }

    @Test
    void distributionsAreSound() {
        assertNull(wrong(GHOST, new int[] {0, 99}, 0.5f, 0.25f));
        assertNull(wrong(GHOST, new int[] {0, 99}, 0.5f, 0.50005f));
        assertNull(wrong(DRAWN, new int[] {7, 3}, 0.98f, 0.02f));
    }

    @Test
    void invalidDistributionsAreNamed() {
        assertEquals("the token id 7 twice", wrong(GHOST, new int[] {7, 7}, 0.5f, 0.25f));
        assertEquals("the token id 100 outside the vocabulary of 100", wrong(GHOST, new int[] {7, 100}, 0.5f, 0.25f));
        assertTrue(wrong(GHOST, new int[] {-1, 7}, 0.5f, 0.25f).contains("-1"));
        assertTrue(wrong(GHOST, new int[] {3, 7}, 0.5f, 0).contains("0.0"));
        assertTrue(wrong(GHOST, new int[] {3, 7}, 0.5f, Float.NaN).contains("NaN"));
        assertTrue(wrong(GHOST, new int[] {3, 7}, 1.5f, 0.5f).contains("1.5"));
        assertTrue(wrong(GHOST, new int[] {3, 7}, 0.6f, 0.5f).startsWith("the probabilities sum to 1.1"));
        assertTrue(wrong(DRAWN, new int[] {3, 7}, 0.6f, 0.3f).startsWith("the probabilities sum to 0.9"));
    }
}
