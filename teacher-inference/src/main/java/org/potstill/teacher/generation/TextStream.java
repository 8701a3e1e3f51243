// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.Arrays;
import org.potstill.checkpoints.tokenizer.Tokenizer;

/**
 * An incremental decoder of tokens to text. A token may end inside a character, and some decoders render a token
 * differently at the start of a text. New text is therefore the difference between decoding the last few tokens with and
 * without the new ones, and is held back while it ends in U+FFFD.
 */
final class TextStream {
    private final Tokenizer tokenizer;
    private int[] ids = new int[64];
    private int count;
    /** Token positions: start of the last piece of text, and end of the text already returned. */
    private int begin;
    private int told;

    TextStream(Tokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * Adds a token.
     *
     * @return the new text; may be empty
     */
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

    /** Returns the text held back, with unfinished characters as U+FFFD. */
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
