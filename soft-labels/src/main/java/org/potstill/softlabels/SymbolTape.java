package org.potstill.softlabels;

import java.util.Arrays;

/** Symbols in the order in which a decoder pops them, kept until they are pushed the other way round. */
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

    /** Takes the symbols from {@code from} on off the end and pushes them, so that the first of them ends on top. */
    void pushBackTo(int from, SymbolStack stack) {
        while (size > from) {
            size -= 3;
            stack.push(entries[size], entries[size + 1], entries[size + 2]);
        }
    }
}
