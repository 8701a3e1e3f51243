// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;

class TargetsDifferenceTest {
    private static SoftTargets targets(int[] ids, float... probabilities) {
        return new SoftTargets(new int[] {0, ids.length}, ids, probabilities);
    }

    @Test
    void ofProbabilitiesItIsTheLargestInNats() {
        SoftTargets one = targets(new int[] {4, 7}, 0.5f, 0.25f);
        assertEquals(0, TargetsDifference.of(TargetSpec.topK(2), one, targets(new int[] {7, 4}, 0.25f, 0.5f)), 0);
        assertEquals(Math.log(2), TargetsDifference.of(TargetSpec.topK(2), one, targets(new int[] {4, 7}, 0.5f, 0.125f)), 1e-6);
    }

    @Test
    void anIdThatOnlyOneListsHasInTheOtherTheProbabilityOfItsLast() {
        SoftTargets one = targets(new int[] {4, 7}, 0.5f, 0.25f);
        assertEquals(0, TargetsDifference.of(TargetSpec.topK(2), one, targets(new int[] {4, 9}, 0.5f, 0.25f)), 1e-6);
        assertEquals(Math.log(2), TargetsDifference.of(TargetSpec.topK(2), one, targets(new int[] {4, 9}, 0.5f, 0.125f)), 1e-6);
        assertEquals(Double.POSITIVE_INFINITY, TargetsDifference.of(TargetSpec.topK(2), one, new SoftTargets(new int[] {0}, new int[0], new float[0])));
    }

    @Test
    void ofDrawsItIsTheShareThatFellOtherwise() {
        TargetSpec spec = TargetSpec.systematic(50, 0);
        SoftTargets one = targets(new int[] {4, 7}, 0.98f, 0.02f);
        assertEquals(0, TargetsDifference.of(spec, one, one), 0);
        assertEquals(0.02, TargetsDifference.of(spec, one, targets(new int[] {4, 9}, 0.98f, 0.02f)), 1e-6);
        assertEquals(1, TargetsDifference.of(spec, one, targets(new int[] {5}, 1)), 1e-6);
    }
}
