package org.potstill.teacher;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Which sequences go through the teacher together.
 *
 * <p>A sequence is padded to a length that depends on its own length only, and batches hold one padded length each:
 * what the teacher says of a sequence then does not depend on its neighbours, and few distinct shapes reach the engine.
 */
public final class Batches {
    /** Padded lengths are multiples of this. */
    public static final int BUCKET = 64;

    private Batches() {
    }

    /** The length that the {@code tokens − 1} scored positions of a sequence are padded to. */
    public static int paddedLength(int tokens, int maxPositionEmbeddings) {
        int positions = tokens - 1;
        return Math.min((positions + BUCKET - 1) / BUCKET * BUCKET, Math.max(positions, maxPositionEmbeddings));
    }

    /**
     * Groups sequences into batches, longest first: memory trouble shows at once and the last batches are short ones.
     *
     * @param lengths     tokens of each sequence
     * @param maxPositionEmbeddings of the teacher
     * @param tokenBudget padded positions per batch; a sequence longer than that goes alone
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
