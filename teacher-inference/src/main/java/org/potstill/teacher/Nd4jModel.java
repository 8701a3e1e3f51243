package org.potstill.teacher;

/** A causal language model on ND4J: token ids in, logits out. For one thread. */
interface Nd4jModel extends AutoCloseable {
    InputLimits limits();

    /**
     * @param ids       1 to {@code maxPositionEmbeddings} tokens, those from {@code positions} on padding
     * @param positions whose logits are wanted
     */
    void logits(int[] ids, int positions, LogitRows rows);

    /** The same in one array, row-major {@code [positions, vocabSize]}. */
    default float[] logits(int[] ids, int positions) {
        int vocabSize = limits().vocabSize();
        float[] all = new float[positions * vocabSize];
        logits(ids, positions, (first, count, logits) ->
                System.arraycopy(logits, 0, all, first * vocabSize, count * vocabSize));
        return all;
    }

    @Override
    void close();

    /** Told the logits of a sequence's positions piece by piece, in order. */
    @FunctionalInterface
    interface LogitRows {
        /** @param logits row-major {@code [positions, vocabSize]}; the caller may use the array again */
        void accept(int firstPosition, int positions, float[] logits);
    }
}
