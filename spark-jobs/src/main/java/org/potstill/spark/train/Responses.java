package org.potstill.spark.train;

import java.io.Serializable;
import java.util.Arrays;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.TrainingSequence;

/**
 * Which positions are learnt from. Of a conversation these are its responses: the tokens after each {@code start}, up to and
 * with the next {@code end}; prompts are read, and no more. A sequence that begins within a response, cut from its start,
 * counts from the next one on.
 *
 * @param start token ids; none where all positions are learnt from
 * @param end   token ids; none where a response ends with its sequence
 */
record Responses(int[] start, int[] end) implements Serializable {
    static Responses of(Settings settings, TokenizerDefinition definition) {
        String start = settings.string("train.response-start");
        String end = settings.string("train.response-end");
        if (start.isEmpty() && !end.isEmpty()) {
            throw JobErrors.badValue("train.response-start", "it is empty, but train.response-end says where responses end");
        }
        if (start.isEmpty()) {
            return new Responses(new int[0], new int[0]);
        }
        boolean special = settings.flag("corpus.special-tokens");
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            return new Responses(tokenizer.encode(start, special), tokenizer.encode(end, special));
        }
    }

    boolean isEverything() {
        return start.length == 0;
    }

    TrainingSequence of(LabelledSequence row, SoftTargets targets) {
        return new TrainingSequence(row.tokens(), targets, isEverything() ? null : counted(row.tokens()));
    }

    /** How many positions of a sequence are learnt from. */
    int count(int[] tokens) {
        if (isEverything()) {
            return tokens.length - 1;
        }
        int count = 0;
        for (boolean each : counted(tokens)) {
            count += each ? 1 : 0;
        }
        return count;
    }

    /** Position t predicts token t + 1. */
    boolean[] counted(int[] tokens) {
        boolean[] counted = new boolean[tokens.length - 1];
        int begin = -1;
        for (int next = 1; next < tokens.length; next++) {
            if (begin < 0 && endsBefore(tokens, next, 0, start)) {
                begin = next;
            }
            counted[next - 1] = begin >= 0;
            if (begin >= 0 && end.length > 0 && endsBefore(tokens, next + 1, begin, end)) {
                begin = -1;
            }
        }
        return counted;
    }

    /** By content: executors keep a student as long as what they are told is the same. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Responses responses && Arrays.equals(start, responses.start) && Arrays.equals(end, responses.end);
    }

    @Override
    public int hashCode() {
        return 31 * Arrays.hashCode(start) + Arrays.hashCode(end);
    }

    /** Whether the mark is what comes just before {@code place}, and not before {@code begin}. */
    private static boolean endsBefore(int[] tokens, int place, int begin, int[] mark) {
        return place - mark.length >= begin
                && Arrays.equals(tokens, place - mark.length, place, mark, 0, mark.length);
    }
}
