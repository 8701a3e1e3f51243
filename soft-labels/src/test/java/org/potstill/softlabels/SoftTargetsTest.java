// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import org.junit.jupiter.api.Test;

class SoftTargetsTest {
    @Test
    void belowALimitTheDistributionsAreThoseGivenThatTheIdLiesThere() {
        SoftTargets targets = new SoftTargets(new int[] {0, 3, 4, 6},
                new int[] {2, 9, 1, 3, 9, 8}, new float[] {0.3f, 0.25f, 0.15f, 0.5f, 0.75f, 0.25f});
        SoftTargets below = targets.below(8);
        assertArrayEquals(new int[] {0, 2, 3, 3}, below.offsets());
        assertArrayEquals(new int[] {2, 1, 3}, below.ids());
        assertArrayEquals(new float[] {0.4f, 0.2f, 0.5f}, below.probabilities(), 1e-6f);
        // The tail grows as the rest does: 0.3 of the 0.75 that remain.
        assertEquals(0.4, below.tailMass(0), 1e-6);
        assertEquals(1, below.tailMass(2));
        assertSame(targets, targets.below(10));
    }
}
