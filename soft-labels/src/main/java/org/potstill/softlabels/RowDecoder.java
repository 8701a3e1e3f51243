// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;

/** Decoder of one row's soft targets from its symbols. */
final class RowDecoder {
    private final TargetSpec spec;
    private final int head;
    private final int[] offsets;
    private final IdModel model;
    private final SymbolStack stack;
    private final LevelModel levelModel = new LevelModel();
    private final CountModel countModel;

    private final int[] levels;
    private final int[] counts;
    /** Tokens of one position in ascending order, each with its count in the low bits. */
    private final int[] drawn;
    private int[] ids;
    private float[] probabilities;
    private int size;

    RowDecoder(RowShape shape, int[] tokens, TokenPrior prior, SymbolStack stack) {
        this.spec = shape.spec();
        this.head = shape.head();
        this.offsets = new int[tokens.length];
        this.model = new IdModel(tokens, prior);
        this.stack = stack;
        this.countModel = shape.mostDrawn() > 0 ? new CountModel(spec.draws(), shape.mostDrawn()) : null;
        this.levels = new int[head];
        this.counts = new int[shape.mostDrawn()];
        this.drawn = new int[shape.mostDrawn()];
        this.ids = new int[16 * tokens.length];
        this.probabilities = new float[ids.length];
    }

    SoftTargets decode() {
        for (int t = 0; t < offsets.length - 1; t++) {
            model.enter(t, offsets, ids);
            decodePosition();
            offsets[t + 1] = size;
            model.empty(offsets, ids);
            model.leave(offsets, ids);
            model.learn(t, offsets, ids);
        }
        if (!stack.isSpent()) {
            throw SoftLabelErrors.damaged("there is more to them than " + (offsets.length - 1) + " positions");
        }
        return new SoftTargets(offsets, Arrays.copyOf(ids, size), Arrays.copyOf(probabilities, size));
    }

    private void decodePosition() {
        double tail = 1;
        double total = 1;
        if (head > 0) {
            tail = LevelModel.mass(levelModel.decode(stack, levels, head));
            total = tail;
            for (int rank = 0; rank < head; rank++) {
                total += LevelModel.mass(levels[rank]);
            }
        }
        int distinct = 0;
        if (!spec.hasGhost() && tail > 0) {
            if (countModel == null) {
                throw SoftLabelErrors.damaged("there is mass left and no token for it");
            }
            distinct = countModel.decode(stack, counts);
        }
        reserve(head + distinct);
        for (int rank = 0; rank < head; rank++) {
            add(model.decode(rank, stack), LevelModel.mass(levels[rank]) / total);
        }
        decodeDrawn(distinct);
        for (int i = 0; i < distinct; i++) {
            add(drawn[i] >> RowShape.COUNT_BITS, (drawn[i] & RowShape.COUNT_MASK) * (tail / total) / spec.draws());
        }
    }

    /** Decodes a position's draws. The order of tokens with equal counts has no meaning: the bits that chose it are pushed back. */
    private void decodeDrawn(int distinct) {
        int from = 0;
        for (int i = 0; i < distinct; i++) {
            from = counts[i] == counts[from] ? from : i;
            int entry = model.decode(head + i, stack) << RowShape.COUNT_BITS | counts[i];
            int at = i;
            for (; at > from && drawn[at - 1] > entry; at--) {
                drawn[at] = drawn[at - 1];
            }
            drawn[at] = entry;
            if (i > from) {
                stack.push(at - from, 1, i - from + 1);
            }
        }
        Arrays.sort(drawn, 0, distinct);
    }

    private void reserve(int entries) {
        if (size + entries > ids.length) {
            ids = Arrays.copyOf(ids, Math.max(size + entries, ids.length + ids.length / 2));
            probabilities = Arrays.copyOf(probabilities, ids.length);
        }
    }

    private void add(int id, double probability) {
        ids[size] = id;
        probabilities[size++] = (float) probability;
    }
}
