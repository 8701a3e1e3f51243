// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

/**
 * The order of a head's dimensions where only some are rotated, as in Phi-4-mini: files have the R rotated ones first, with j
 * and j + R/2 rotated together. {@link TensorSource} has them where a head of D dimensions rotates, at j and j + D/2, and lets
 * the frequencies of the others be 0. Scores are sums over dimensions, so they do not depend on the order.
 */
public final class RotatedRows {
    private RotatedRows() {
    }

    /** Returns the row in a file of a row of query or key projections. */
    public static long stored(long row, CausalLmConfig config) {
        int rotated = config.traits().rotary().dimensions();
        if (rotated == 0) {
            return row;
        }
        int half = config.headDim() / 2;
        long inHead = row % config.headDim();
        long pair = inHead % half;
        long second = inHead / half;
        long place = pair < rotated / 2 ? second * rotated / 2 + pair
                : rotated + second * (half - rotated / 2) + pair - rotated / 2;
        return row - inHead + place;
    }

    /** Returns the row of query or key projections that is stored as this one: the inverse of {@link #stored}. */
    static long unstored(long stored, CausalLmConfig config) {
        int rotated = config.traits().rotary().dimensions();
        if (rotated == 0) {
            return stored;
        }
        int half = config.headDim() / 2;
        long inHead = stored % config.headDim();
        int width = inHead < rotated ? rotated / 2 : half - rotated / 2;
        long place = inHead < rotated ? inHead : inHead - rotated;
        return stored - inHead + place / width * half + place % width + (inHead < rotated ? 0 : rotated / 2);
    }
}
