package org.potstill.spark.evaluate;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.checkpoints.TokenizerDefinition;

/**
 * Tokenizes context and choice as lm-eval does (lm-evaluation-harness, {@code TemplateLM._encode_pair}): a space goes between
 * them; white space at the end of the context counts to the choice; the tokens of the choice are those of the whole behind as
 * many as the context alone has. Special tokens spelled out in the text are taken as such.
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

    /** Without a context, a document begins: with the token that begins documents, else with the one that ends them. */
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

    /** Characters up to the last that Python's {@code str.rstrip} keeps. */
    private static int trimmedLength(String text) {
        int end = text.length();
        while (end > 0 && (Character.isWhitespace(text.charAt(end - 1)) || Character.isSpaceChar(text.charAt(end - 1)) || text.charAt(end - 1) == '\u0085')) {
            end--;
        }
        return end;
    }
}
