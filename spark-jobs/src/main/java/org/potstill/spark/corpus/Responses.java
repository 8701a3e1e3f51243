package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.checkpoints.TokenBytes;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.CorpusErrors;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which tokens of a document are learnt from. Of a conversation these are its responses: what follows each {@code start}, up to
 * and with the next {@code end}; prompts are read, and no more. Markers are looked for in the text, since among other characters
 * their tokens may be others.
 *
 * @param start the marker, in UTF-8, in all forms that it may have in a text, the longest first; none where all is learnt from
 * @param end   the same of the other; none where a response ends with its document
 * @param maxUnmarkedShare of the documents that may hold no response
 */
public record Responses(List<byte[]> start, List<byte[]> end, double maxUnmarkedShare) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(Responses.class);

    public static Responses of(Settings settings, TokenizerDefinition definition) {
        String start = settings.string("train.response-start");
        String end = settings.string("train.response-end");
        if (start.isEmpty() && !end.isEmpty()) {
            throw JobErrors.badValue("train.response-start", "it is empty, but train.response-end says where responses end");
        }
        double maxUnmarkedShare = settings.real("train.max-unmarked-share", 0, 1);
        if (start.isEmpty()) {
            return new Responses(List.of(), List.of(), maxUnmarkedShare);
        }
        TokenBytes bytes = TokenBytes.of(definition);
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            return new Responses(forms(start, tokenizer, bytes), forms(end, tokenizer, bytes), maxUnmarkedShare);
        }
    }

    /** As it stands and as the tokenizer normalises it: special tokens, for one, may swallow white space beside them. */
    private static List<byte[]> forms(String marker, Tokenizer tokenizer, TokenBytes bytes) {
        return Stream.of(marker.getBytes(StandardCharsets.UTF_8), bytes.bytes(tokenizer.encode(marker, false)),
                        bytes.bytes(tokenizer.encode(marker, true)))
                .filter(form -> form.length > 0).sorted(Comparator.comparing(form -> -form.length)).toList();
    }

    public boolean isEverything() {
        return start.isEmpty();
    }

    /**
     * What there is in a document.
     *
     * @param tokens   whether each lies in a response, be it in part
     * @param isMarked whether a response begins in it
     * @param isOpen   whether the last one has an end to come that does not come
     */
    public record Found(boolean[] tokens, boolean isMarked, boolean isOpen) {
    }

    /** Ends the job before the teacher works for {@code train} in vain. */
    public void requireIn(JavaRDD<TokenizedDocument> documents, TokenizerDefinition tokenizer) {
        if (isEverything()) {
            return;
        }
        TokenTexts texts = TokenTexts.of(JavaSparkContext.fromSparkContext(documents.context()), tokenizer);
        Responses self = this;
        Map<Boolean, Long> marked = documents.filter(document -> !document.sequences().isEmpty())
                .map(document -> self.find(TokenTexts.pieces(document.sequences(), texts.get())).isMarked()).countByValue();
        long unmarked = marked.getOrDefault(false, 0L);
        require(unmarked + marked.getOrDefault(true, 0L), unmarked);
    }

    /**
     * @param documents that are learnt from
     * @param unmarked  those of them that hold no response
     * @throws org.potstill.errors.UserException when they are too many
     */
    public void require(long documents, long unmarked) {
        if (unmarked == documents) {
            throw CorpusErrors.nothingToLearn();
        }
        if (unmarked > maxUnmarkedShare * documents) {
            throw CorpusErrors.tooManyUnmarked(unmarked, documents, maxUnmarkedShare);
        }
        if (unmarked > 0) {
            LOG.warn("{} of {} documents do not hold what train.response-start says, and are not learnt from", unmarked, documents);
        }
    }

    /** @param pieces the text of each token of a document */
    public Found find(List<byte[]> pieces) {
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
