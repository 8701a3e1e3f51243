package org.potstill.teacher;

import java.util.List;

/** What a teacher can read; anything else is refused, by its number in the batch, before an engine sees it. */
record InputLimits(int vocabSize, int maxPositionEmbeddings) {
    /** The last token of a scored sequence is predicted, not read: it may lie one beyond the context. */
    void requireScorable(List<int[]> sequences) {
        for (int i = 0; i < sequences.size(); i++) {
            require(i, sequences.get(i), 2, maxPositionEmbeddings + 1);
        }
    }

    /** For full logits, all of which must fit one array. */
    void requireReadable(int[] ids) {
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
