// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;

/** Token weights with cumulative sums, from which tokens can be removed temporarily. */
final class TokenWeights {
    /** Log2 of the number of sums that a sum of the next level covers. */
    private static final int BITS = 4;
    private static final int LEVELS = 4;

    private final int[] weights;
    /** {@code sums[l][i]} covers the ids {@code i · 16^l} to {@code (i + 1) · 16^l}, exclusive, without removed tokens. */
    private final int[][] sums;
    private int total;
    private int belowFound;

    TokenWeights(TokenPrior prior) {
        weights = prior.weights().clone();
        sums = Arrays.stream(prior.sums()).map(int[]::clone).toArray(int[][]::new);
        total = prior.total();
    }

    /** Computes the sums with no token removed. */
    static int[][] sums(int[] weights) {
        int[][] sums = new int[LEVELS][];
        sums[0] = weights;
        for (int level = 1; level < LEVELS; level++) {
            int[] finer = sums[level - 1];
            sums[level] = new int[(finer.length - 1 >> BITS) + 1];
            for (int i = 0; i < finer.length; i++) {
                sums[level][i >> BITS] += finer[i];
            }
        }
        return sums;
    }

    /** Returns the total weight, without removed tokens. */
    int total() {
        return total;
    }

    int weight(int id) {
        return weights[id];
    }

    /** Returns the weight of the tokens below {@code id}, without removed tokens. */
    int below(int id) {
        int below = 0;
        int to = id;
        for (int level = 0; level < LEVELS; level++) {
            int from = level == LEVELS - 1 ? 0 : to >> BITS << BITS;
            for (int i = from; i < to; i++) {
                below += sums[level][i];
            }
            to >>= BITS;
        }
        return below;
    }

    /**
     * Returns the token with {@code below(id) <= target < below(id) + weight(id)} that is not removed; {@code target}
     * must be below the total.
     */
    int find(int target) {
        int rest = target;
        int i = 0;
        for (int level = LEVELS - 1; level >= 0; level--) {
            i <<= BITS;
            int[] row = sums[level];
            while (row[i] <= rest) {
                rest -= row[i++];
            }
        }
        belowFound = target - rest;
        return i;
    }

    /** Returns {@link #below} of the last token that {@link #find} returned. */
    int belowFound() {
        return belowFound;
    }

    void takeOut(int id) {
        sum(id, -weights[id]);
    }

    void putBack(int id) {
        sum(id, weights[id]);
    }

    /** Changes the weight of a token that is not removed. */
    void add(int id, int change) {
        weights[id] += change;
        sum(id, change);
    }

    private void sum(int id, int change) {
        total += change;
        for (int level = 0; level < LEVELS; level++) {
            sums[level][id >> BITS * level] += change;
        }
    }
}
