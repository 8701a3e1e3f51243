// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.List;

/** Limits of a teacher's input. Other sequences are rejected, by their number in the batch, before an engine sees them. */
public record InputLimits(int vocabSize, int maxPositionEmbeddings) {
    /** Checks sequences to score. Their last token is predicted, not read, so it may lie one position beyond the context. */
    public void requireScorable(List<int[]> sequences) {
        for (int i = 0; i < sequences.size(); i++) {
            require(i, sequences.get(i), 2, maxPositionEmbeddings + 1);
        }
    }

    /** Checks a text to continue. */
    public void requirePrompt(int[] ids) {
        if (ids.length == 0 || ids.length > maxPositionEmbeddings) {
            throw TeacherErrors.badPrompt(ids.length, maxPositionEmbeddings);
        }
        require(0, ids, 1, maxPositionEmbeddings);
    }

    /** Checks a sequence for full logits, which must fit into one array. */
    public void requireReadable(int[] ids) {
        require(0, ids, 1, maxPositionEmbeddings);
        if ((long) ids.length * vocabSize > Integer.MAX_VALUE / 4) {
            throw TeacherErrors.tooManyLogits(ids.length, vocabSize);
        }
    }

    private void require(int index, int[] ids, int min, int max) {
        if (ids.length < min || ids.length > max) {
            throw TeacherErrors.badLength(index, ids.length, min, max);
        }
        for (int t = 0; t < ids.length; t++) {
            if (ids[t] < 0 || ids[t] >= vocabSize) {
                throw TeacherErrors.badToken(index, t, ids[t], vocabSize);
            }
        }
    }
}
