// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.util.Arrays;
import java.util.Random;
import org.potstill.softlabels.SoftTargets;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;

/** Labelled sequences of random tokens, with two random targets per position. */
final class RandomSequences {
    private RandomSequences() {
    }

    static LabelledSequence of(Labels labels, int length, Random random) {
        int[] tokens = random.ints(length, 0, labels.vocabSize()).toArray();
        int[] offsets = new int[length];
        int[] ids = new int[2 * (length - 1)];
        float[] probabilities = new float[ids.length];
        for (int t = 0; t < length - 1; t++) {
            offsets[t + 1] = 2 * (t + 1);
            ids[2 * t] = random.nextInt(labels.vocabSize() - 1);
            ids[2 * t + 1] = ids[2 * t] + 1;
            Arrays.fill(probabilities, 2 * t, 2 * t + 2, 0.25f);
        }
        return new LabelledSequence("none", labels.key(tokens), tokens, labels.codec().encode(tokens, new SoftTargets(offsets, ids, probabilities)), 1, 1);
    }
}
