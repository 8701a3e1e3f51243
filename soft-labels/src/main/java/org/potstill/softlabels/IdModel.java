// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.HashMap;
import java.util.Map;

/**
 * A model of the ids at one row's positions: each id not yet at the position has a share in proportion to its weight. The
 * weight is the prior's, plus some for each earlier position of the row that has the id, plus more for the ids that
 * followed the last occurrence of the same token. The actual next token has a share of its own: it is likely, the more so
 * the fewer ids the position has yet.
 *
 * <p>Positions are processed in order, each between {@link #enter} and {@link #leave}: ascending with {@link #learn} to
 * decode, or descending with {@link #forget} to encode.
 */
final class IdModel {
    /** Divisor of the prior's total that gives the weight added per occurrence in the row. */
    private static final int LEARNT_SHARE = 3072;
    /**
     * Total weight at which learning stops: with the additions for followers and for the next token, one half each,
     * totals stay below the symbol scale.
     */
    private static final int LEARNT_ENOUGH = 1 << 28;
    private static final int FOLLOWER_SHARE = 64;

    private final int[] tokens;
    private final int[] previous;
    private final TokenWeights weights;
    private final int learnt;
    private int learntPositions;

    private int position;
    private int extra;
    private boolean nextIsOpen;

    /** @param tokens ids below the prior's vocabulary */
    IdModel(int[] tokens, TokenPrior prior) {
        this.tokens = tokens;
        this.weights = new TokenWeights(prior);
        this.learnt = 1 + prior.total() / LEARNT_SHARE;
        this.previous = previousOccurrences(tokens);
    }

    private static int[] previousOccurrences(int[] tokens) {
        Map<Integer, Integer> last = new HashMap<>();
        int[] previous = new int[tokens.length];
        for (int t = 0; t < tokens.length; t++) {
            Integer before = last.put(tokens[t], t);
            previous[t] = before == null ? -1 : before;
        }
        return previous;
    }

    /**
     * Begins a position.
     *
     * @param offsets of the ids, by position
     * @param ids     of at least all earlier positions
     */
    void enter(int position, int[] offsets, int[] ids) {
        this.position = position;
        int before = previous[position];
        if (before >= 0) {
            int followers = offsets[before + 1] - offsets[before];
            extra = weights.total() / Math.max(FOLLOWER_SHARE, 2 * followers);
            addToFollowers(extra, offsets, ids);
        }
        weights.takeOut(next());
        nextIsOpen = true;
    }

    /** Undoes {@link #enter} for a position that has no ids again. */
    void leave(int[] offsets, int[] ids) {
        weights.putBack(next());
        addToFollowers(-extra, offsets, ids);
    }

    private void addToFollowers(int change, int[] offsets, int[] ids) {
        int before = previous[position];
        if (before >= 0) {
            for (int i = offsets[before]; i < offsets[before + 1]; i++) {
                weights.add(ids[i], change);
            }
        }
    }

    private int next() {
        return tokens[position + 1];
    }

    /**
     * Returns the share of the next token, given that the position has {@code rank} ids; it lies below the shares of all
     * others.
     */
    private int nextShare(int rank) {
        return nextIsOpen ? weights.weight(next()) + weights.total() / (2 * rank + 2) : 0;
    }

    /** Decodes the position's id of this rank and adds it to the position. */
    int decode(int rank, SymbolStack stack) {
        int apart = nextShare(rank);
        int total = apart + weights.total();
        int target = stack.peek(total);
        if (target < apart) {
            stack.pop(0, apart, total);
            nextIsOpen = false;
            return next();
        }
        int id = weights.find(target - apart);
        stack.pop(apart + weights.belowFound(), weights.weight(id), total);
        weights.takeOut(id);
        return id;
    }

    /** Undoes {@link #decode}: ranks descend, from a position with all of its ids, see {@link #fill}. */
    void encode(int rank, int id, SymbolStack stack) {
        if (id == next()) {
            nextIsOpen = true;
            int apart = nextShare(rank);
            stack.push(0, apart, apart + weights.total());
            return;
        }
        weights.putBack(id);
        int apart = nextShare(rank);
        stack.push(apart + weights.below(id), weights.weight(id), apart + weights.total());
    }

    /** Gives the position all of its ids, as after decoding them. */
    void fill(int[] offsets, int[] ids) {
        for (int i = offsets[position]; i < offsets[position + 1]; i++) {
            if (ids[i] == next()) {
                nextIsOpen = false;
            } else {
                weights.takeOut(ids[i]);
            }
        }
    }

    /** Removes all of the position's ids, as before decoding them. */
    void empty(int[] offsets, int[] ids) {
        for (int i = offsets[position]; i < offsets[position + 1]; i++) {
            if (ids[i] != next()) {
                weights.putBack(ids[i]);
            }
        }
    }

    /** Adds weight for the ids of a position that is not entered. */
    void learn(int position, int[] offsets, int[] ids) {
        if (weights.total() < LEARNT_ENOUGH) {
            learntPositions = position + 1;
            addLearnt(learnt, position, offsets, ids);
        }
    }

    /** Undoes {@link #learn} for the last position learnt. */
    void forget(int position, int[] offsets, int[] ids) {
        if (position < learntPositions) {
            addLearnt(-learnt, position, offsets, ids);
        }
    }

    private void addLearnt(int change, int position, int[] offsets, int[] ids) {
        for (int i = offsets[position]; i < offsets[position + 1]; i++) {
            weights.add(ids[i], change);
        }
    }
}
