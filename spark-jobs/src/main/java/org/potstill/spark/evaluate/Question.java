package org.potstill.spark.evaluate;

import java.util.Arrays;
import java.util.List;

/**
 * A question of a multiple-choice task, tokenized.
 *
 * @param task    number of the task
 * @param index   of the question in it
 * @param choices context and choice of each choice
 */
record Question(int task, int index, List<Choice> choices) implements Work {
    /**
     * @param tokens of context and choice
     * @param length tokens that count, at the end
     */
    record Choice(int[] tokens, int length) implements java.io.Serializable {
        /** Cut on the left, as lm-eval cuts it, so that a model with so many positions can read all but the last. */
        Choice fit(int maxPositions) {
            int kept = Math.min(tokens.length, maxPositions + 1);
            return new Choice(Arrays.copyOfRange(tokens, tokens.length - kept, tokens.length), Math.min(length, kept - 1));
        }
    }

    @Override
    public long positions() {
        return choices.stream().mapToLong(choice -> choice.tokens.length - 1L).sum();
    }
}
