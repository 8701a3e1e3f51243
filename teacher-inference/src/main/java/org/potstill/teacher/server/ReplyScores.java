// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.util.Arrays;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TargetsBuilder;

/**
 * Soft targets of one sequence from the log-probabilities in a server's reply, position by position: the k most probable tokens,
 * ties by smaller id. Checks that the reply is about the sequence.
 */
final class ReplyScores {
    /** By how much rounding may lift a probability, or their sum, above one. */
    private static final double ROUNDING = 1e-2;

    private final RequestTokens request;
    private final int[] sequence;
    private final int k;
    private final int vocabSize;
    private final TargetsBuilder targets;
    private final float[] next;
    private final float[] entropies;
    /** Entries of the current position, descending by log-probability, ascending by id where equal. */
    private final int[] ids;
    private final double[] logProbabilities;
    private int entries;
    private int position;
    private int notFinite = -1;

    /** @param k entries to keep per position, at most {@code vocabSize} */
    ReplyScores(int[] sequence, int k, int vocabSize) {
        this.request = new RequestTokens(sequence);
        this.sequence = sequence;
        this.k = k;
        this.vocabSize = vocabSize;
        this.targets = new TargetsBuilder(sequence.length - 1, k, 0);
        this.next = new float[sequence.length - 1];
        this.entropies = new float[sequence.length - 1];
        // The actual token may come in addition.
        this.ids = new int[k + 1];
        this.logProbabilities = new double[k + 1];
    }

    RequestTokens request() {
        return request;
    }

    /**
     * Adds a token of the current position, once.
     *
     * @param logProbability null or NaN if the model's output is not finite
     */
    void add(long id, Double logProbability) throws MismatchException {
        if (id < 0 || id >= vocabSize) {
            throw new MismatchException("position " + position + " has the token id " + id + ", and the vocabulary's are 0 to " + (vocabSize - 1));
        }
        if (logProbability == null || logProbability.isNaN()) {
            notFinite = notFinite < 0 ? position : notFinite;
            return;
        }
        if (!(logProbability <= ROUNDING)) {
            throw new MismatchException("position " + position + " has the log-probability " + logProbability);
        }
        for (int i = 0; i < entries; i++) {
            if (ids[i] == id) {
                throw new MismatchException("position " + position + " has the token " + id + " twice");
            }
        }
        if (entries == ids.length) {
            throw new MismatchException("position " + position + " has more than " + entries + " tokens");
        }
        int at = entries++;
        while (at > 0 && (logProbabilities[at - 1] < logProbability || logProbabilities[at - 1] == logProbability && ids[at - 1] > id)) {
            ids[at] = ids[at - 1];
            logProbabilities[at] = logProbabilities[at - 1];
            at--;
        }
        ids[at] = (int) id;
        logProbabilities[at] = logProbability;
    }

    /** Ends a position, which must have at least k tokens, the actual next one among them. */
    void endPosition() throws MismatchException {
        if (position >= next.length) {
            throw new MismatchException("it has more positions than the request, of " + sequence.length + " tokens");
        }
        if (notFinite < 0) {
            finish();
        }
        targets.endPosition();
        entries = 0;
        position++;
    }

    private void finish() throws MismatchException {
        int actual = Arrays.stream(ids, 0, entries).boxed().toList().indexOf(sequence[position + 1]);
        if (actual < 0) {
            throw new MismatchException("position " + position + " lacks the actual next token, " + sequence[position + 1]);
        }
        if (entries < k) {
            throw new MismatchException("position " + position + " has " + entries + " log-probabilities, and targets.k is " + k);
        }
        next[position] = (float) Math.min(0, logProbabilities[actual]);
        double mass = 0;
        double entropy = 0;
        for (int i = 0; i < k; i++) {
            double probability = Math.exp(Math.min(0, logProbabilities[i]));
            targets.add(ids[i], probability);
            mass += probability;
            entropy -= probability == 0 ? 0 : probability * Math.log(probability);
        }
        if (mass > 1 + ROUNDING) {
            throw new MismatchException("the probabilities at position " + position + " sum to " + mass);
        }
        double rest = 1 - mass;
        entropies[position] = (float) Math.max(0, entropy - (rest <= 0 ? 0 : rest * Math.log(rest)));
    }

    /** Returns the scores; the entropies are those of the k tokens and the rest as one, which is a lower bound. */
    ScoredSequence result() throws MismatchException {
        if (position < next.length) {
            throw new MismatchException("it has " + position + " positions, and the request " + next.length);
        }
        return notFinite < 0 ? ScoredSequence.of(targets.build(), next, entropies) : ScoredSequence.notFinite(notFinite);
    }
}
