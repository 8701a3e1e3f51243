// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class BatchesTest {
    @Test
    void everySequenceIsInOneBatchOfItsOwnPaddedLengthWithinTheBudget() {
        int[] lengths = new Random(1).ints(500, 2, 600).toArray();
        List<int[]> batches = Batches.plan(lengths, 1000, 2048);
        int[] seen = new int[lengths.length];
        int before = Integer.MAX_VALUE;
        for (int[] batch : batches) {
            int padded = Batches.paddedLength(lengths[batch[0]], 1000);
            assertTrue(padded <= before, "longest first");
            before = padded;
            assertTrue(batch.length * padded <= 2048);
            for (int i : batch) {
                seen[i]++;
                assertEquals(padded, Batches.paddedLength(lengths[i], 1000));
            }
        }
        assertTrue(Arrays.stream(seen).allMatch(n -> n == 1));
    }

    @Test
    void aSequenceBeyondTheBudgetGoesAlone() {
        assertEquals(3, Batches.plan(new int[] {900, 901, 2}, 1000, 512).size());
    }

    @Test
    void paddingNeverLeavesTheContext() {
        assertEquals(64, Batches.paddedLength(2, 1000));
        assertEquals(64, Batches.paddedLength(65, 1000));
        assertEquals(128, Batches.paddedLength(66, 1000));
        assertEquals(1000, Batches.paddedLength(1001, 1000));
        assertEquals(50, Batches.paddedLength(2, 50));
    }
}
