package org.potstill.softlabels;

import java.util.HashMap;
import java.util.Map;

/**
 * The ids of one row's positions, each with a share by its weight among those that its position does not have yet. A weight
 * is what the prior says, more for each earlier position of the row that has the id, and more again for the ids that followed
 * the same token the last time. The token that really came next stands apart: it is likely, and the more so the fewer ids the
 * position has yet.
 *
 * <p>Positions come in order, each between {@link #enter} and {@link #leave}: ascending with {@link #learn}, for what decodes,
 * or descending with {@link #forget}, for what encodes.
 */
final class IdModel {
    /** Of the prior's total, how much weight one occurrence in the row adds. */
    private static final int LEARNT_SHARE = 3072;
    /** No more is learnt once weights add up to this: one half more, and that half as much again, stays below the scale. */
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

    /** @param ids of all positions before this one at least, with their offsets */
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

    /** Undoes {@link #enter} of a position that is empty again. */
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

    /** Share of the next token before a position's id of this rank, from 0; it lies below those of all others. */
    private int nextShare(int rank) {
        return nextIsOpen ? weights.weight(next()) + weights.total() / (2 * rank + 2) : 0;
    }

    /** The position's id of this rank, which it has from then on. */
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

    /** Undoes {@link #decode}: ranks descend from a position that has all of its ids, see {@link #fill}. */
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

    /** Lets the position have all of its ids, as after decoding them. */
    void fill(int[] offsets, int[] ids) {
        for (int i = offsets[position]; i < offsets[position + 1]; i++) {
            if (ids[i] == next()) {
                nextIsOpen = false;
            } else {
                weights.takeOut(ids[i]);
            }
        }
    }

    /** Takes all of its ids from the position, as before decoding them. */
    void empty(int[] offsets, int[] ids) {
        for (int i = offsets[position]; i < offsets[position + 1]; i++) {
            if (ids[i] != next()) {
                weights.putBack(ids[i]);
            }
        }
    }

    /** Adds weight for the ids of a position that was left, or never entered. */
    void learn(int position, int[] offsets, int[] ids) {
        if (weights.total() < LEARNT_ENOUGH) {
            learntPositions = position + 1;
            addLearnt(learnt, position, offsets, ids);
        }
    }

    /** Undoes {@link #learn} of the last position that was learnt. */
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
