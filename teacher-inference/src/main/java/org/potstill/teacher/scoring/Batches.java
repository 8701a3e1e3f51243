// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Plans of the teacher's forward passes: which sequences share a batch.
 *
 * <p>A sequence is padded to a length that depends only on its own length, and a batch holds sequences of one padded
 * length. The scores of a sequence then do not depend on its neighbours, and the engine sees few distinct shapes.
 */
public final class Batches {
    /** Unit of padded lengths, in positions. */
    public static final int BUCKET = 64;

    private Batches() {
    }

    /** Returns the length to which the {@code tokens − 1} scored positions of a sequence are padded. */
    public static int paddedLength(int tokens, int maxPositionEmbeddings) {
        int positions = tokens - 1;
        return Math.min((positions + BUCKET - 1) / BUCKET * BUCKET, Math.max(positions, maxPositionEmbeddings));
    }

    /**
     * Groups sequences into batches, longest first, so that running out of memory shows at once and the last batches are
     * short.
     *
     * @param lengths     tokens of each sequence
     * @param maxPositionEmbeddings of the teacher
     * @param tokenBudget padded positions per batch; a longer sequence gets a batch of its own
     * @return indices into {@code lengths}, each exactly once
     */
    public static List<int[]> plan(int[] lengths, int maxPositionEmbeddings, int tokenBudget) {
        Map<Integer, List<Integer>> byPaddedLength = new TreeMap<>(Comparator.reverseOrder());
        for (int i = 0; i < lengths.length; i++) {
            byPaddedLength.computeIfAbsent(paddedLength(lengths[i], maxPositionEmbeddings), p -> new ArrayList<>()).add(i);
        }
        List<int[]> batches = new ArrayList<>();
        byPaddedLength.forEach((padded, members) -> {
            int rows = Math.max(1, tokenBudget / Math.max(1, padded));
            for (int from = 0; from < members.size(); from += rows) {
                batches.add(members.subList(from, Math.min(members.size(), from + rows)).stream()
                        .mapToInt(Integer::intValue).toArray());
            }
        });
        return batches;
    }
}
