// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A stack of symbols stored as one big number: last in, first out. A symbol takes −log2 of its share in bits (asymmetric
 * numeral systems, range variant, arXiv 1311.2540).
 *
 * <p>Popping a symbol that was never pushed takes its bits from those below, and pushing it again restores them. An
 * arbitrary choice, such as the order of a set, thus costs nothing ("bits back", arXiv 2107.09202). Pops below the bottom
 * read zeros.
 */
final class SymbolStack {
    /** Log2 of the scale of shares; totals must be below the scale. */
    static final int SCALE_BITS = 30;
    static final int STATE_BYTES = 8;
    private static final int WORD_BITS = 32;
    private static final long SCALE = 1L << SCALE_BITS;
    private static final long LOWEST = 1L << 31;

    private long state = LOWEST;
    private int[] words = new int[256];
    private int size;
    private boolean foundBottom;

    /** Pushes a symbol with the share {@code [start, start + width)} of {@code total}. */
    void push(int start, int width, int total) {
        long from = start * SCALE / total;
        long share = (start + width) * SCALE / total - from;
        if (share == SCALE) {
            return;
        }
        if (state >= share << 63 - SCALE_BITS) {
            if (size == words.length) {
                words = Arrays.copyOf(words, 2 * size);
            }
            words[size++] = (int) state;
            state >>>= WORD_BITS;
        }
        long quotient = state / share;
        state = (quotient << SCALE_BITS) + state - quotient * share + from;
    }

    /** Returns a number in {@code [0, total)} within the share of the top symbol; {@link #pop} removes that symbol. */
    int peek(int total) {
        return (int) (((state & SCALE - 1) + 1) * total - 1 >>> SCALE_BITS);
    }

    void pop(int start, int width, int total) {
        long from = start * SCALE / total;
        long share = (start + width) * SCALE / total - from;
        state = share * (state >>> SCALE_BITS) + (state & SCALE - 1) - from;
        if (state < LOWEST) {
            foundBottom |= size == 0;
            state = state << WORD_BITS | (size == 0 ? 0 : words[--size] & 0xffffffffL);
        }
    }

    /** Pops one of {@code choices} equally likely numbers. */
    int popUniform(int choices) {
        int choice = peek(choices);
        pop(choice, 1, choices);
        return choice;
    }

    int bytes() {
        return STATE_BYTES + Integer.BYTES * size;
    }

    /** Writes the state, then the words from the top down. */
    void write(ByteBuffer out) {
        out.putLong(state);
        for (int i = size - 1; i >= 0; i--) {
            out.putInt(words[i]);
        }
    }

    /**
     * Reads a stack.
     *
     * @param length {@link #STATE_BYTES} plus a multiple of {@link Integer#BYTES}
     */
    static SymbolStack read(ByteBuffer in, int length) {
        SymbolStack stack = new SymbolStack();
        stack.state = in.getLong();
        if (stack.state < LOWEST) {
            throw SoftLabelErrors.damaged("the state of the symbols is " + stack.state);
        }
        stack.size = (length - STATE_BYTES) / Integer.BYTES;
        stack.words = new int[stack.size + 1];
        for (int i = stack.size - 1; i >= 0; i--) {
            stack.words[i] = in.getInt();
        }
        return stack;
    }

    /** Returns whether exactly what was pushed has been popped. */
    boolean isSpent() {
        return state == LOWEST && !foundBottom && Arrays.stream(words, 0, size).allMatch(word -> word == 0);
    }
}
