// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;

/**
 * An adaptive model of one kind of number. Numbers below 16 have symbols of their own; above, eight symbols share an
 * octave, and the remaining bits follow as one of equally likely choices.
 */
final class NumberModel {
    private static final int EXACT_BITS = 4;
    private static final int STEPS = 1 << EXACT_BITS - 1;
    private static final int LEARNT = 3;
    private static final int LIMIT = 1 << 16;

    private final int[] frequencies;
    private int total;

    /** @param limit exclusive upper bound; a decoder may return larger numbers that share a symbol with valid ones */
    NumberModel(int limit) {
        frequencies = new int[symbol(limit - 1) + 1];
        Arrays.fill(frequencies, 1);
        total = frequencies.length;
    }

    /** Puts on the tape what a decoder will pop for {@code value}. */
    void encode(int value, SymbolTape tape) {
        int symbol = symbol(value);
        int start = 0;
        for (int s = 0; s < symbol; s++) {
            start += frequencies[s];
        }
        tape.add(start, frequencies[symbol], total);
        int open = openBits(symbol);
        if (open > 0) {
            tape.add(value & (1 << open) - 1, 1, 1 << open);
        }
        learn(symbol);
    }

    int decode(SymbolStack stack) {
        int target = stack.peek(total);
        int symbol = 0;
        int start = 0;
        while (start + frequencies[symbol] <= target) {
            start += frequencies[symbol++];
        }
        stack.pop(start, frequencies[symbol], total);
        int open = openBits(symbol);
        learn(symbol);
        return open == 0 ? symbol : smallest(symbol) | stack.popUniform(1 << open);
    }

    private void learn(int symbol) {
        frequencies[symbol] += LEARNT;
        total += LEARNT;
        if (total > LIMIT) {
            total = 0;
            for (int s = 0; s < frequencies.length; s++) {
                frequencies[s] = frequencies[s] + 1 >> 1;
                total += frequencies[s];
            }
        }
    }

    static int symbol(int value) {
        int open = Math.max(0, bits(value) - EXACT_BITS);
        return open * STEPS + (value >> open);
    }

    static int smallest(int symbol) {
        int open = openBits(symbol);
        return open == 0 ? symbol : STEPS + symbol % STEPS << open;
    }

    private static int openBits(int symbol) {
        return Math.max(0, symbol / STEPS - 1);
    }

    static int bits(int value) {
        return 32 - Integer.numberOfLeadingZeros(value);
    }
}
