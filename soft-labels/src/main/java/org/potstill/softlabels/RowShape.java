// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

/**
 * The number of entries that a position can have.
 *
 * @param spec      what is kept of a distribution
 * @param vocabSize ids lie in [0, vocabSize)
 */
record RowShape(TargetSpec spec, int vocabSize) {
    /** Bits of a token's id. */
    static final int ID_BITS = 19;
    /** Bits of the count when a drawn token is one number: its id above, its draws, 1 to {@link TargetSpec#MAX_DRAWS}, below. */
    static final int COUNT_BITS = 11;
    static final int COUNT_MASK = (1 << COUNT_BITS) - 1;

    /** Returns the number of most probable tokens per position. */
    int head() {
        return Math.min(spec.k(), vocabSize);
    }

    /** Returns the largest number of distinct tokens among a position's draws. */
    int mostDrawn() {
        return Math.min(spec.draws(), vocabSize - head());
    }
}
