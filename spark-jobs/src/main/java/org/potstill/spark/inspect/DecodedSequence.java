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
 * A row of the cache, decoded for display.
 *
 * @param folder         folder of the labels
 * @param file           file of the row
 * @param document       document that contained the sequence when it was labelled
 * @param key            key of the row
 * @param tokens         number of tokens
 * @param teacherLoss    mean −log p of the target tokens, in nats
 * @param teacherEntropy mean entropy of the teacher's distributions, in nats
 * @param first          first token, which has no prediction
 * @param positions      the first positions
 */
public record DecodedSequence(String folder, String file, String document, String key, int tokens, double teacherLoss,
        double teacherEntropy, Token first, List<Position> positions) {
    private static final int GUESSES = 5;

    /**
     * A token with its probability under the teacher.
     *
     * @param probability null if the cache does not store it
     */
    public record Token(int id, String text, Double probability) {
    }

    /**
     * The teacher's prediction at a position, and the target token.
     *
     * @param position zero-based; it predicts token {@code position + 1}
     * @param came     target token
     * @param guesses  most probable tokens that the cache stores
     * @param tail     probability mass of all tokens that it does not store
     */
    public record Position(int position, Token came, List<Token> guesses, double tail) {
    }

    /**
     * Decodes a row.
     *
     * @param limit maximum number of positions
     */
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
