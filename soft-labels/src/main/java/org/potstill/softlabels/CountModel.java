// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;

/**
 * A model of how many draws fell on each distinct token of a position, without saying which: the counts in descending
 * order. It codes the number of tokens, then how many of them have two draws or more, then three or more, and so on while
 * there is a choice.
 */
final class CountModel {
    private static final int EXACT = 8;

    private final int draws;
    private final int most;
    private final NumberModel tokens;
    /** Models of how many tokens have one more draw, indexed by the number of tokens that may. */
    private final NumberModel[] survivors = new NumberModel[EXACT + 1 + NumberModel.bits(TargetSpec.MAX_DRAWS)];

    /**
     * @param draws per position
     * @param most  distinct tokens at a position, at least 1
     */
    CountModel(int draws, int most) {
        this.draws = draws;
        this.most = most;
        this.tokens = new NumberModel(most);
        for (int k = 1; k <= EXACT; k++) {
            survivors[k] = new NumberModel(k);
        }
        for (int context = EXACT + 1; context < survivors.length; context++) {
            survivors[context] = new NumberModel(1 << context - EXACT);
        }
    }

    private NumberModel survivorsOf(int k) {
        return survivors[k <= EXACT ? k : EXACT + NumberModel.bits(k)];
    }

    /**
     * Encodes a position's counts.
     *
     * @param counts descending in {@code [from, to)}; their sum is the number of draws
     */
    void encode(int[] counts, int from, int to, SymbolTape tape) {
        int having = to - from;
        tokens.encode(having - 1, tape);
        int left = draws - having;
        for (int count = 1; left > 0 && having > 1; count++) {
            NumberModel model = survivorsOf(having);
            while (having > 0 && counts[from + having - 1] <= count) {
                having--;
            }
            model.encode(having - 1, tape);
            left -= having;
        }
    }

    /** Decodes a position's counts, descending, to the start of {@code counts} and returns how many there are. */
    int decode(SymbolStack stack, int[] counts) {
        int distinct = tokens.decode(stack) + 1;
        if (distinct > most) {
            throw SoftLabelErrors.damaged("a position has " + distinct + " tokens of " + most);
        }
        Arrays.fill(counts, 0, distinct, 1);
        int left = draws - distinct;
        int having = distinct;
        while (left > 0 && having > 1) {
            int survivors = survivorsOf(having).decode(stack) + 1;
            if (survivors > having || survivors > left) {
                throw SoftLabelErrors.damaged(survivors + " of " + having + " tokens share " + left + " draws");
            }
            having = survivors;
            left -= having;
            for (int i = 0; i < having; i++) {
                counts[i]++;
            }
        }
        counts[0] += left;
        return distinct;
    }
}
