// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.util.Arrays;
import org.potstill.kernels.FloatValues;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.DrawPoints;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TargetsBuilder;

/** The soft targets of one sequence, which several threads fill in, each its own positions. */
final class SequenceScores {
    private final int[] tokens;
    private final TargetSpec spec;
    private final DrawPoints points;
    private final int[] ids;
    private final double[] probabilities;
    private final int[] drawn;
    private final double[] drawnMass;
    private final float[] next;
    private final float[] entropies;

    /** @param spec k at most the vocabulary */
    SequenceScores(int[] tokens, TargetSpec spec) {
        this.tokens = tokens;
        this.spec = spec;
        this.points = new DrawPoints(tokens, spec);
        int positions = positions();
        this.ids = new int[positions * spec.k()];
        this.probabilities = new double[positions * spec.k()];
        this.drawn = new int[positions * spec.draws()];
        this.drawnMass = new double[positions];
        this.next = new float[positions];
        this.entropies = new float[positions];
    }

    int positions() {
        return tokens.length - 1;
    }

    /** Returns the target token of a position. */
    int next(int position) {
        return tokens[position + 1];
    }

    /** Takes over all of a position but its draws. */
    void keep(int position, PositionScores scores) {
        next[position] = scores.nextLogProbability();
        entropies[position] = scores.entropy();
        for (int i = 0; i < spec.k(); i++) {
            ids[position * spec.k() + i] = scores.ids()[i];
            probabilities[position * spec.k() + i] = scores.probability(i);
        }
    }

    void draw(int position, PositionScores scores, PositionScores.Chunks logits, FloatValues memory) {
        if (!Float.isNaN(next[position])) {
            drawnMass[position] = scores.draw(points.at(position), logits, memory, DecoderWeights.CHUNK, drawn, position * spec.draws());
        }
    }

    ScoredSequence result() {
        TargetsBuilder targets = new TargetsBuilder(positions(), spec.k(), spec.draws());
        for (int t = 0; t < positions(); t++) {
            if (!Float.isFinite(next[t]) || !Float.isFinite(entropies[t])) {
                return ScoredSequence.notFinite(t);
            }
            for (int i = t * spec.k(); i < (t + 1) * spec.k(); i++) {
                targets.add(ids[i], probabilities[i]);
            }
            targets.endPosition(Arrays.copyOfRange(drawn, t * spec.draws(), (t + 1) * spec.draws()), drawnMass[t]);
        }
        return ScoredSequence.of(targets.build(), next, entropies);
    }
}
