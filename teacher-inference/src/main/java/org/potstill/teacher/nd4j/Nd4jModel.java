// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import org.potstill.teacher.scoring.InputLimits;

/** A causal language model on ND4J: token ids in, logits out. Not thread-safe. */
interface Nd4jModel extends AutoCloseable {
    InputLimits limits();

    /**
     * Computes the logits of a sequence's first positions.
     *
     * @param ids       1 to {@code maxPositionEmbeddings} tokens; those from {@code positions} on are padding
     * @param positions number of positions to compute logits for
     * @param rows      receives the logits
     */
    void logits(int[] ids, int positions, LogitRows rows);

    /** Computes the same in one array, row-major {@code [positions, vocabSize]}. */
    default float[] logits(int[] ids, int positions) {
        int vocabSize = limits().vocabSize();
        float[] all = new float[positions * vocabSize];
        logits(ids, positions, (first, count, logits) ->
                System.arraycopy(logits, 0, all, first * vocabSize, count * vocabSize));
        return all;
    }

    @Override
    void close();

    /** Receives the logits of a sequence's positions piece by piece, in order. */
    @FunctionalInterface
    interface LogitRows {
        /**
         * Receives the logits of some positions.
         *
         * @param logits row-major {@code [positions, vocabSize]}; the caller may reuse the array
         */
        void accept(int firstPosition, int positions, float[] logits);
    }
}
