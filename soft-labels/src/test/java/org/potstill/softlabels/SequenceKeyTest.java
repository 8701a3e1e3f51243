// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import org.junit.jupiter.api.Test;

class SequenceKeyTest {
    @Test
    void keysDependOnTokensTeacherTokenizerAndSpec() {
        String key = SequenceKey.of(new int[] {1, 2, 3}, "t", "k", TargetSpec.topK(8));
        assertEquals(key, SequenceKey.of(new int[] {1, 2, 3}, "t", "k", TargetSpec.topK(8)));
        assertEquals(32, key.length());
        for (String other : new String[] {
            SequenceKey.of(new int[] {1, 2, 4}, "t", "k", TargetSpec.topK(8)),
            SequenceKey.of(new int[] {1, 2, 3}, "u", "k", TargetSpec.topK(8)),
            SequenceKey.of(new int[] {1, 2, 3}, "t", "l", TargetSpec.topK(8)),
            SequenceKey.of(new int[] {1, 2, 3}, "t", "k", TargetSpec.topK(9))}) {
            assertNotEquals(key, other);
        }
    }
}
