// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/**
 * Tokenizer of contexts and choices that follows lm-eval (lm-evaluation-harness, {@code TemplateLM._encode_pair}): they are joined
 * by a space; trailing white space of the context belongs to the choice; the choice's tokens are those of the joined text after as
 * many as the context alone has. Special tokens spelled out in the text are recognised.
 */
final class ChoiceTokenizer {
    private static final String DELIMITER = " ";

    private final Tokenizer tokenizer;
    private final TokenizerDefinition definition;

    ChoiceTokenizer(Tokenizer tokenizer, TokenizerDefinition definition) {
        this.tokenizer = tokenizer;
        this.definition = definition;
    }

    Question question(int task, int index, ChoiceTask.Item item) {
        List<Question.Choice> choices = new ArrayList<>();
        item.choices().forEach(choice -> choices.add(encode(item.context(), DELIMITER + choice)));
        return new Question(task, index, choices);
    }

    private Question.Choice encode(String context, String continuation) {
        int end = trimmedLength(context);
        if (end == 0) {
            return afterPrefix(tokenizer.encode(context + continuation, true));
        }
        int[] whole = definition.beginning(tokenizer.encode(context + continuation, true));
        int before = definition.beginning(tokenizer.encode(context.substring(0, end), true)).length;
        return new Question.Choice(whole, whole.length - before);
    }

    /** Prefixes a choice without a context with the begin-of-document token or, if there is none, the end-of-document token. */
    private Question.Choice afterPrefix(int[] continuation) {
        int prefix = definition.bosId() >= 0 ? definition.bosId() : definition.eosId();
        if (prefix < 0 || continuation[0] == prefix) {
            return new Question.Choice(continuation, continuation.length - 1);
        }
        return new Question.Choice(prepend(prefix, continuation), continuation.length);
    }

    private static int[] prepend(int first, int[] ids) {
        return IntStream.concat(IntStream.of(first), IntStream.of(ids)).toArray();
    }

    /** Returns the length that Python's {@code str.rstrip} leaves. */
    private static int trimmedLength(String text) {
        int end = text.length();
        while (end > 0 && (Character.isWhitespace(text.charAt(end - 1)) || Character.isSpaceChar(text.charAt(end - 1)) || text.charAt(end - 1) == '\u0085')) {
            end--;
        }
        return end;
    }
}
