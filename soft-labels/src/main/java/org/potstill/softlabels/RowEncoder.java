// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;

/**
 * Encoder of one row's symbols: adaptive models read forwards, symbols are pushed backwards, so that a decoder pops them
 * forwards.
 */
final class RowEncoder {
    /** Tolerance for counts that are not whole numbers, and for masses that do not sum to one. */
    private static final double TOLERANCE = 1e-3;

    private final RowShape shape;
    private final TargetSpec spec;
    private final int head;
    private final SoftTargets targets;
    private final int[] offsets;
    /** Ids as in the targets, except that draws are ordered by descending count, then ascending id. */
    private final int[] ids;
    /** Number of draws of each id; 0 for the most probable tokens. */
    private final int[] counts;
    private final IdModel model;
    private final LevelModel levelModel = new LevelModel();
    private final CountModel countModel;
    private final SymbolTape tape = new SymbolTape();
    private final int[] tapeEnds;
    /** Position + 1 at which an id was last seen; unused without most probable tokens, as ids then ascend and cannot repeat. */
    private final int[] seenAt;

    RowEncoder(RowShape shape, int[] tokens, TokenPrior prior, SoftTargets targets) {
        this.shape = shape;
        this.spec = shape.spec();
        this.head = shape.head();
        this.targets = targets;
        this.offsets = targets.offsets();
        this.ids = targets.ids().clone();
        this.counts = new int[ids.length];
        this.model = new IdModel(tokens, prior);
        this.countModel = shape.mostDrawn() > 0 ? new CountModel(spec.draws(), shape.mostDrawn()) : null;
        this.tapeEnds = new int[targets.positions() + 1];
        this.seenAt = new int[head > 0 ? shape.vocabSize() : 0];
    }

    /**
     * Encodes the row.
     *
     * @throws IllegalArgumentException if the targets are not of this shape
     */
    SymbolStack encode() {
        for (int t = 0; t < targets.positions(); t++) {
            check(t);
            int drawnFrom = offsets[t] + head;
            if (head > 0) {
                encodeLevels(t);
            }
            if (drawnFrom < offsets[t + 1]) {
                rankDrawn(t, drawnFrom, offsets[t + 1]);
                countModel.encode(counts, drawnFrom, offsets[t + 1], tape);
            }
            tapeEnds[t + 1] = tape.size();
            model.learn(t, offsets, ids);
        }
        SymbolStack stack = new SymbolStack();
        for (int t = targets.positions() - 1; t >= 0; t--) {
            model.forget(t, offsets, ids);
            model.enter(t, offsets, ids);
            model.fill(offsets, ids);
            encodeIds(offsets[t], offsets[t + 1], stack);
            model.leave(offsets, ids);
            tape.pushBackTo(tapeEnds[t], stack);
        }
        return stack;
    }

    private void check(int t) {
        int entries = offsets[t + 1] - offsets[t];
        int fewest = spec.k() == 0 ? 1 : head;
        if (entries < fewest || entries > head + shape.mostDrawn()) {
            throw new IllegalArgumentException("position " + t + " has " + entries + " entries, not " + fewest + " to "
                    + (head + shape.mostDrawn()));
        }
        for (int i = offsets[t]; i < offsets[t + 1]; i++) {
            int id = ids[i];
            if (id < 0 || id >= shape.vocabSize()) {
                throw new IllegalArgumentException("token id " + id + " outside the vocabulary of " + shape.vocabSize());
            }
            if (head > 0) {
                if (seenAt[id] == t + 1) {
                    throw new IllegalArgumentException("position " + t + " has the token id " + id + " twice");
                }
                seenAt[id] = t + 1;
            }
            if (i > offsets[t] + head && ids[i - 1] >= id) {
                throw new IllegalArgumentException("position " + t + " has ids that do not ascend");
            }
        }
    }

    private double mass(int from, int to) {
        double mass = 0;
        for (int i = from; i < to; i++) {
            mass += targets.probabilities()[i];
        }
        return mass;
    }

    private void encodeLevels(int t) {
        int[] levels = new int[head];
        for (int rank = 0; rank < head; rank++) {
            levels[rank] = Math.min(LevelModel.MAX_LEVEL, LevelModel.level(targets.probabilities()[offsets[t] + rank]));
            if (rank > 0 && levels[rank] < levels[rank - 1]) {
                throw new IllegalArgumentException("position " + t + " does not have its most probable tokens in order");
            }
        }
        double tail = spec.hasGhost() ? targets.tailMass(t) : mass(offsets[t] + head, offsets[t + 1]);
        double total = mass(offsets[t], offsets[t + 1]);
        if (!spec.hasGhost() && Math.abs(total - 1) > TOLERANCE) {
            throw new IllegalArgumentException("position " + t + " has a mass of " + total + ", not 1");
        }
        levelModel.encode(LevelModel.level(tail), levels, head, tape);
    }

    /** Computes the counts of the draws and orders the tokens by descending count. */
    private void rankDrawn(int t, int from, int to) {
        double tail = head == 0 ? 1 : mass(from, to);
        int sum = 0;
        int[] order = new int[to - from];
        for (int i = from; i < to; i++) {
            double draws = targets.probabilities()[i] * (double) spec.draws() / tail;
            int count = (int) Math.rint(draws);
            if (!(Math.abs(draws - count) <= TOLERANCE) || count < 1 || count > spec.draws()) {
                throw new IllegalArgumentException("position " + t + " has " + draws + " draws of token id " + ids[i]);
            }
            order[i - from] = RowShape.COUNT_MASK - count << RowShape.ID_BITS | ids[i];
            sum += count;
        }
        if (sum != spec.draws()) {
            throw new IllegalArgumentException("position " + t + " has " + sum + " draws, not " + spec.draws());
        }
        Arrays.sort(order);
        for (int i = from; i < to; i++) {
            ids[i] = order[i - from] & (1 << RowShape.ID_BITS) - 1;
            counts[i] = RowShape.COUNT_MASK - (order[i - from] >> RowShape.ID_BITS);
        }
    }

    /** Encodes a position's ids. The order of tokens with equal counts has no meaning: bits popped off the stack choose it. */
    private void encodeIds(int begin, int end, SymbolStack stack) {
        for (int to = end; to > begin;) {
            int from = to - 1;
            while (counts[to - 1] > 0 && from > begin && counts[from - 1] == counts[from]) {
                from--;
            }
            int[] left = Arrays.copyOfRange(ids, from, to);
            for (int i = to - 1; i >= from; i--) {
                int choice = counts[i] > 0 ? stack.popUniform(i - from + 1) : 0;
                model.encode(i - begin, left[choice], stack);
                System.arraycopy(left, choice + 1, left, choice, i - from - choice);
            }
            to = from;
        }
    }
}
