// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.softlabels.SoftTargets;
import org.potstill.spark.cache.LabelledSequence;

/**
 * One row of the cache as a person can read it.
 *
 * @param folder         of the labels
 * @param file           that the row is in
 * @param document       that held the sequence when it was labelled
 * @param key            of the row
 * @param tokens         in the sequence
 * @param teacherLoss    mean −log p of the tokens that came, in nats
 * @param teacherEntropy mean entropy of the teacher's distributions, in nats
 * @param first          the token that nothing was predicted for
 * @param positions      the first of them
 */
public record DecodedSequence(String folder, String file, String document, String key, int tokens, double teacherLoss,
        double teacherEntropy, Token first, List<Position> positions) {
    private static final int GUESSES = 5;

    /**
     * A token and how probable it was to the teacher.
     *
     * @param probability null where the cache does not say
     */
    public record Token(int id, String text, Double probability) {
    }

    /**
     * What the teacher predicted at a position, and what came.
     *
     * @param position from 0; it predicts token {@code position + 1}
     * @param came     the token that really came next
     * @param guesses  the tokens most probable to the teacher, of those that the cache lists
     * @param tail     mass of the tokens that it does not list
     */
    public record Position(int position, Token came, List<Token> guesses, double tail) {
    }

    /** @param limit positions to tell of */
    static DecodedSequence of(String folder, String file, LabelledSequence row, SoftTargets targets, Tokenizer tokenizer, int limit) {
        List<Position> positions = new ArrayList<>();
        for (int t = 0; t < Math.min(limit, targets.positions()); t++) {
            int next = row.tokens()[t + 1];
            List<Integer> best = IntStream.range(targets.begin(t), targets.end(t)).boxed()
                    .sorted(Comparator.comparing((Integer i) -> -targets.probabilities()[i])).toList();
            Double came = best.stream().filter(i -> targets.ids()[i] == next).findFirst().map(i -> (double) targets.probabilities()[i]).orElse(null);
            positions.add(new Position(t, token(next, came, tokenizer),
                    best.stream().limit(GUESSES).map(i -> token(targets.ids()[i], (double) targets.probabilities()[i], tokenizer)).toList(),
                    targets.tailMass(t)));
        }
        return new DecodedSequence(folder, file, row.document(), row.key(), row.tokens().length, row.teacherLoss(), row.teacherEntropy(),
                token(row.tokens()[0], null, tokenizer), positions);
    }

    private static Token token(int id, Double probability, Tokenizer tokenizer) {
        return new Token(id, tokenizer.decode(new int[] {id}), probability);
    }
}
