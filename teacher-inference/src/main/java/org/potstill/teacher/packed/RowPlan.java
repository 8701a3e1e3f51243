// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.util.ArrayList;
import java.util.List;

/**
 * The rows of a pass: its sequences one after another, each padded to a multiple of {@value #ALIGNMENT} rows, and their division
 * into units of work. A sequence's blocks of queries depend on its length alone, and so do its results; units only decide which
 * blocks a thread computes at once.
 *
 * @param starts    first row of each sequence, then the number of rows
 * @param ids       input token of each row; padding repeats the sequence's last
 * @param positions position of each row in its sequence
 */
record RowPlan(int[] starts, int[] ids, int[] positions, List<Unit> units) {
    static final int ALIGNMENT = 16;
    /** Queries that attend at once. */
    private static final int QUERIES = 128;
    static final int MAX_UNIT = 512;

    /**
     * Queries of one sequence.
     *
     * @param sequence row of the sequence's first position
     * @param first    position of the first query
     */
    record Block(int sequence, int first, int queries) {
    }

    /** Consecutive rows {@code [from, to)} that consist of whole blocks. */
    record Unit(int from, int to, List<Block> blocks) {
        int rows() {
            return to - from;
        }
    }

    /**
     * Plans a pass.
     *
     * @param sequences their input tokens
     * @param threads   number that share the units
     */
    static RowPlan of(List<int[]> sequences, int threads) {
        int[] starts = new int[sequences.size() + 1];
        for (int s = 0; s < sequences.size(); s++) {
            starts[s + 1] = starts[s] + rows(sequences.get(s).length);
        }
        int rows = starts[sequences.size()];
        int[] ids = new int[rows];
        int[] positions = new int[rows];
        List<Block> blocks = new ArrayList<>();
        for (int s = 0; s < sequences.size(); s++) {
            int[] sequence = sequences.get(s);
            int length = starts[s + 1] - starts[s];
            for (int t = 0; t < length; t++) {
                ids[starts[s] + t] = sequence[Math.min(t, sequence.length - 1)];
                positions[starts[s] + t] = t;
            }
            for (int first = 0; first < length; first += QUERIES) {
                blocks.add(new Block(starts[s], first, Math.min(QUERIES, length - first)));
            }
        }
        return new RowPlan(starts, ids, positions, units(blocks, Math.max(QUERIES, Math.min(MAX_UNIT, rows / (2 * threads)))));
    }

    /** Returns the number of rows of a sequence of input tokens. */
    static int rows(int tokens) {
        return (tokens + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }

    private static List<Unit> units(List<Block> blocks, int size) {
        List<Unit> units = new ArrayList<>();
        List<Block> members = new ArrayList<>();
        int from = 0;
        int to = 0;
        for (Block block : blocks) {
            if (to > from && to - from + block.queries > size) {
                units.add(new Unit(from, to, List.copyOf(members)));
                members.clear();
                from = to;
            }
            members.add(block);
            to += block.queries;
        }
        units.add(new Unit(from, to, List.copyOf(members)));
        return units;
    }

    int rows() {
        return ids.length;
    }

    int longest() {
        int longest = 0;
        for (int s = 0; s + 1 < starts.length; s++) {
            longest = Math.max(longest, starts[s + 1] - starts[s]);
        }
        return longest;
    }
}
