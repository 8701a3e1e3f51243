// SPDX-License-Identifier: Apache-2.0
package org.potstill.softlabels;

import java.util.Arrays;

/** A buffer of symbols in the order in which a decoder pops them, until they are pushed in reverse. */
final class SymbolTape {
    private int[] entries = new int[3 * 1024];
    private int size;

    void add(int start, int width, int total) {
        if (size == entries.length) {
            entries = Arrays.copyOf(entries, 2 * size);
        }
        entries[size++] = start;
        entries[size++] = width;
        entries[size++] = total;
    }

    int size() {
        return size;
    }

    /** Removes the symbols from {@code from} on and pushes them in reverse, so that the first ends on top. */
    void pushBackTo(int from, SymbolStack stack) {
        while (size > from) {
            size -= 3;
            stack.push(entries[size], entries[size + 1], entries[size + 2]);
        }
    }
}
