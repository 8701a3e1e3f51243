package org.potstill.softlabels;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A stack of symbols held as one long number: what was pushed last is popped first, and each symbol takes −log2 of its share
 * in bits (asymmetric numeral systems in their range form, arXiv 1311.2540).
 *
 * <p>Popping a symbol that nobody pushed takes its bits off what is below, and pushing it again puts them back: that is how
 * a choice without meaning, such as the order of a set, is had for nothing ("bits back", arXiv 2107.09202). A pop below the
 * bottom finds zeros.
 */
final class SymbolStack {
    /** Log2 of what the shares of all symbols are scaled to; their totals must lie below it. */
    static final int SCALE_BITS = 30;
    static final int STATE_BYTES = 8;
    private static final int WORD_BITS = 32;
    private static final long SCALE = 1L << SCALE_BITS;
    private static final long LOWEST = 1L << 31;

    private long state = LOWEST;
    private int[] words = new int[256];
    private int size;
    private boolean foundBottom;

    /** Puts a symbol with the share {@code [start, start + width)} of {@code total} on top. */
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

    /** A number in {@code [0, total)} that lies in the share of the symbol on top; {@link #pop} takes that symbol off. */
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

    /** The state, then the words from the top down. */
    void write(ByteBuffer out) {
        out.putLong(state);
        for (int i = size - 1; i >= 0; i--) {
            out.putInt(words[i]);
        }
    }

    /** @param length {@link #STATE_BYTES} and a multiple of {@link Integer#BYTES} */
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

    /** Whether all is popped that was ever pushed, and nothing else. */
    boolean isSpent() {
        return state == LOWEST && !foundBottom && Arrays.stream(words, 0, size).allMatch(word -> word == 0);
    }
}
