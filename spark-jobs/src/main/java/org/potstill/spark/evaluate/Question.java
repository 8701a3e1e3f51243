// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.Arrays;
import java.util.List;

/**
 * A question of a multiple-choice task, tokenized.
 *
 * @param task    number of the task
 * @param index   index of the question in the task
 * @param choices choices, each with its context
 */
record Question(int task, int index, List<Choice> choices) implements Work {
    /**
     * A choice with its context.
     *
     * @param tokens tokens of context and choice
     * @param length number of scored tokens, at the end
     */
    record Choice(int[] tokens, int length) implements java.io.Serializable {
        /** Truncates on the left, as lm-eval does, so that all tokens but the last fit into {@code maxPositions}. */
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
