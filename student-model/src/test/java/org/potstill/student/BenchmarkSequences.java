// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.util.ArrayList;
import java.util.List;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.batch.TrainingSequence;

/** Batches in files: a line is a sequence, {@code n k}, n ids, then for each of n − 1 positions k ids and k probabilities. */
public final class BenchmarkSequences {
    private BenchmarkSequences() {
    }

    /** Reads sequences, one per line. */
    public static List<TrainingSequence> read(List<String> lines) {
        List<TrainingSequence> batch = new ArrayList<>();
        for (String line : lines) {
            String[] words = line.split(" ");
            int n = Integer.parseInt(words[0]);
            int k = Integer.parseInt(words[1]);
            int at = 2;
            int[] tokens = new int[n];
            for (int t = 0; t < n; t++) {
                tokens[t] = Integer.parseInt(words[at++]);
            }
            int[] offsets = new int[n];
            int[] ids = new int[(n - 1) * k];
            float[] probabilities = new float[ids.length];
            for (int t = 0; t < n - 1; t++) {
                offsets[t + 1] = offsets[t] + k;
                for (int i = 0; i < k; i++) {
                    ids[offsets[t] + i] = Integer.parseInt(words[at++]);
                }
                for (int i = 0; i < k; i++) {
                    probabilities[offsets[t] + i] = Float.parseFloat(words[at++]);
                }
            }
            batch.add(new TrainingSequence(tokens, new SoftTargets(offsets, ids, probabilities)));
        }
        return batch;
    }
}
