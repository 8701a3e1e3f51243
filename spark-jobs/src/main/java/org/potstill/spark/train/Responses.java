package org.potstill.spark.train;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.potstill.checkpoints.TokenBytes;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;

/**
 * Which tokens of a document are learnt from. Of a conversation these are its responses: what follows each {@code start}, up to
 * and with the next {@code end}; prompts are read, and no more. Markers are looked for in the text, since among other characters
 * their tokens may be others.
 *
 * @param start the marker, in UTF-8, in all forms that it may have in a text, the longest first; none where all is learnt from
 * @param end   the same of the other; none where a response ends with its document
 */
record Responses(List<byte[]> start, List<byte[]> end) implements Serializable {
    static final Responses EVERYTHING = new Responses(List.of(), List.of());

    static Responses of(Settings settings, TokenizerDefinition definition) {
        String start = settings.string("train.response-start");
        String end = settings.string("train.response-end");
        if (start.isEmpty() && !end.isEmpty()) {
            throw JobErrors.badValue("train.response-start", "it is empty, but train.response-end says where responses end");
        }
        if (start.isEmpty()) {
            return EVERYTHING;
        }
        TokenBytes bytes = TokenBytes.of(definition);
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            return new Responses(forms(start, tokenizer, bytes), forms(end, tokenizer, bytes));
        }
    }

    /** As it stands and as the tokenizer normalises it: special tokens, for one, may swallow white space beside them. */
    private static List<byte[]> forms(String marker, Tokenizer tokenizer, TokenBytes bytes) {
        return Stream.of(marker.getBytes(StandardCharsets.UTF_8), bytes.bytes(tokenizer.encode(marker, false)),
                        bytes.bytes(tokenizer.encode(marker, true)))
                .filter(form -> form.length > 0).sorted(Comparator.comparing(form -> -form.length)).toList();
    }

    boolean isEverything() {
        return start.isEmpty();
    }

    /**
     * What there is in a document.
     *
     * @param tokens   whether each lies in a response, be it in part
     * @param isMarked whether a response begins in it
     * @param isOpen   whether the last one has an end to come that does not come
     */
    record Found(boolean[] tokens, boolean isMarked, boolean isOpen) {
    }

    /** @param pieces the text of each token of a document */
    Found find(List<byte[]> pieces) {
        byte[] text = new byte[pieces.stream().mapToInt(piece -> piece.length).reduce(0, Math::addExact)];
        int[] ends = new int[pieces.size()];
        int length = 0;
        for (int i = 0; i < ends.length; i++) {
            byte[] piece = pieces.get(i);
            System.arraycopy(piece, 0, text, length, piece.length);
            length += piece.length;
            ends[i] = length;
        }
        boolean[] tokens = new boolean[ends.length];
        boolean isMarked = false;
        boolean isOpen = false;
        int token = 0;
        for (int begin = behindNext(start, text, 0); begin >= 0;) {
            isMarked = true;
            int close = behindNext(end, text, begin);
            isOpen = close < 0 && !end.isEmpty();
            int to = close < 0 ? text.length : close;
            while (token < ends.length && ends[token] <= begin) {
                token++;
            }
            for (int i = token; i < ends.length && (i == 0 ? 0 : ends[i - 1]) < to; i++) {
                tokens[i] |= ends[i] > (i == 0 ? 0 : ends[i - 1]);
            }
            begin = close < 0 ? -1 : behindNext(start, text, to);
        }
        return new Found(tokens, isMarked, isOpen);
    }

    /** The place behind the first of the forms from a place on, or −1. */
    private static int behindNext(List<byte[]> forms, byte[] text, int from) {
        for (int i = from; i < text.length && !forms.isEmpty(); i++) {
            for (byte[] form : forms) {
                if (i + form.length <= text.length && Arrays.equals(text, i, i + form.length, form, 0, form.length)) {
                    return i + form.length;
                }
            }
        }
        return -1;
    }
}
