// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.Arrays;
import org.potstill.softlabels.SoftTargets;

/** A builder of a sequence's soft targets, position by position: first the most probable tokens, then the draws. */
public final class TargetsBuilder {
    private final int[] offsets;
    private final int k;
    private final int draws;
    private int[] ids;
    private float[] probabilities;
    private int position;
    private int entries;

    /**
     * Makes a builder.
     *
     * @param k     most probable tokens per position
     * @param draws draws per position, from the other tokens
     */
    public TargetsBuilder(int positions, int k, int draws) {
        this.offsets = new int[positions + 1];
        this.k = k;
        this.draws = draws;
        this.ids = new int[positions * (k + draws)];
        this.probabilities = new float[positions * (k + draws)];
    }

    public void add(int id, double probability) {
        ids[entries] = id;
        // Rounding may lift a probability above one or lower it to zero, both invalid in targets.
        probabilities[entries++] = (float) Math.min(1, Math.max(Float.MIN_NORMAL, probability));
    }

    /** Sorts the position's most probable tokens, ties by smaller id, whatever the engine's order. */
    private void orderTies() {
        int begin = offsets[position];
        for (int i = begin + 1; i < entries; i++) {
            int id = ids[i];
            float p = probabilities[i];
            int j = i;
            while (j > begin && (probabilities[j - 1] < p || (probabilities[j - 1] == p && ids[j - 1] > id))) {
                ids[j] = ids[j - 1];
                probabilities[j] = probabilities[j - 1];
                j--;
            }
            ids[j] = id;
            probabilities[j] = p;
        }
    }

    /**
     * Adds each distinct drawn id, in ascending order, with its share of the mass.
     *
     * @param mass that they were drawn from; if negligible, nothing is added
     */
    private void addDraws(int[] drawn, double mass) {
        if (mass < draws * (double) Float.MIN_NORMAL) {
            return;
        }
        Arrays.sort(drawn);
        for (int from = 0; from < drawn.length;) {
            int to = from + 1;
            while (to < drawn.length && drawn[to] == drawn[from]) {
                to++;
            }
            add(drawn[from], mass * (to - from) / draws);
            from = to;
        }
    }

    /** Ends a position without draws. */
    public void endPosition() {
        endPosition(new int[0], 0);
    }

    /**
     * Ends a position.
     *
     * @param drawn its draws, with repetitions; sorted in place
     * @param mass  sum of the probabilities that they were drawn from; not read if k is 0, where it is 1 but for rounding
     */
    public void endPosition(int[] drawn, double mass) {
        orderTies();
        addDraws(drawn, k == 0 ? 1 : mass);
        offsets[++position] = entries;
    }

    public SoftTargets build() {
        return new SoftTargets(offsets, Arrays.copyOf(ids, entries), Arrays.copyOf(probabilities, entries));
    }
}
