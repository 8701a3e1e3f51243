package org.potstill.softlabels;

/**
 * How many entries a position can have.
 *
 * @param spec      what is kept of a distribution
 * @param vocabSize ids lie in [0, vocabSize)
 */
record RowShape(TargetSpec spec, int vocabSize) {
    /** A drawn token as one number: its id, and below it the number of draws, from 1 to {@link TargetSpec#MAX_DRAWS}. */
    static final int COUNT_BITS = 11;
    static final int COUNT_MASK = (1 << COUNT_BITS) - 1;

    /** Most probable tokens with their own probabilities. */
    int head() {
        return Math.min(spec.k(), vocabSize);
    }

    /** Most distinct tokens among the draws. */
    int mostDrawn() {
        return Math.min(spec.draws(), vocabSize - head());
    }
}
