// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ResponseRunsTest {
    @Test
    void runsTellWhatEachPositionPredicts() {
        assertEquals(new ResponseRuns(List.of(2, 1, 1, 2), 4), ResponseRuns.of(new byte[] {0, 0, 1, 0, 2, 2}, true));
        assertEquals(new ResponseRuns(List.of(0, 2, 1), 3), ResponseRuns.of(new byte[] {1, 1, 0}, true));
        assertNull(ResponseRuns.of(new byte[] {0, 0}, false).last());
        Random random = new Random(1);
        for (int i = 0; i < 200; i++) {
            byte[] parts = new byte[random.nextInt(20)];
            int last = random.nextInt(20);
            for (int t = 0; t < parts.length; t++) {
                parts[t] = (byte) (random.nextBoolean() ? 0 : t >= last ? 2 : 1);
            }
            assertArrayEquals(parts, ResponseRuns.of(parts, true).parts());
        }
    }
}
