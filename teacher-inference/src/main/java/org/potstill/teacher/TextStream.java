package org.potstill.teacher;

import java.util.Arrays;
import org.potstill.checkpoints.Tokenizer;

/**
 * The text of tokens as they come. A token may end in the middle of a character, and some decoders write a token otherwise
 * at the beginning of a text than within it: so what is new is what the last few tokens say more than they said before,
 * and nothing comes while that ends in U+FFFD.
 */
final class TextStream {
    private final Tokenizer tokenizer;
    private int[] ids = new int[64];
    private int count;
    /** Where the last piece of text began, and what has been told already, in tokens. */
    private int begin;
    private int told;

    TextStream(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /** @return what can be told now; may be empty */
    String add(int id) {
        if (count == ids.length) {
            ids = Arrays.copyOf(ids, 2 * count);
        }
        ids[count++] = id;
        String before = text(told);
        String now = text(count);
        if (now.endsWith("\ufffd") || now.length() <= before.length()) {
            return "";
        }
        begin = told;
        told = count;
        return now.substring(before.length());
    }

    /** What was held back, unfinished characters as U+FFFD. */
    String end() {
        String all = text(count);
        String rest = all.substring(Math.min(all.length(), text(told).length()));
        told = count;
        return rest;
    }

    private String text(int end) {
        return tokenizer.decode(Arrays.copyOfRange(ids, begin, end));
    }
}
