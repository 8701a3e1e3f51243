// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.function.Function;
import org.potstill.checkpoints.tokenizer.TokenBytes;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The loss mask of documents. Of conversations, the chat template tells what is a response. In texts that are conversations as rendered
 * by a template, responses are the text after each {@code start}, up to and including the next {@code end}. These markers are searched
 * in the text, since their tokens depend on neighbouring characters.
 *
 * @param from  what to learn from; if it is everything and there is a start marker, then from what it begins
 * @param start the start marker in UTF-8, in all forms that it may take in a text, longest first; empty if it is not searched
 * @param end   likewise the end marker; empty if a response ends with its document
 * @param maxUnmarkedShare maximum share of documents without a response
 */
public record Responses(LearnFrom from, List<byte[]> start, List<byte[]> end, double maxUnmarkedShare) implements Serializable {
    private static final Logger LOG = LoggerFactory.getLogger(Responses.class);

    public static Responses of(Settings settings, TokenizerDefinition definition) {
        String start = settings.string("train.response-start");
        String end = settings.string("train.response-end");
        if (start.isEmpty() && !end.isEmpty()) {
            throw JobErrors.badValue("train.response-start", "it is empty, but train.response-end says where responses end");
        }
        LearnFrom from = settings.choice("train.learn-from", LearnFrom.class);
        double maxUnmarkedShare = settings.real("train.max-unmarked-share", 0, 1);
        if (start.isEmpty()) {
            return new Responses(from, List.of(), List.of(), maxUnmarkedShare);
        }
        TokenBytes bytes = TokenBytes.of(definition);
        try (Tokenizer tokenizer = new Tokenizer(definition)) {
            return new Responses(from, forms(start, tokenizer, bytes), forms(end, tokenizer, bytes), maxUnmarkedShare);
        }
    }

    /** Lists a marker literally and as the tokenizer normalises it: special tokens may swallow adjacent white space. */
    private static List<byte[]> forms(String marker, Tokenizer tokenizer, TokenBytes bytes) {
        return Stream.of(marker.getBytes(StandardCharsets.UTF_8), bytes.bytes(tokenizer.encode(marker, false)),
                        bytes.bytes(tokenizer.encode(marker, true)))
                .filter(form -> form.length > 0).sorted(Comparator.comparing(form -> -form.length)).toList();
    }

    public boolean isEverything() {
        return from == LearnFrom.EVERYTHING && !isSearched();
    }

    /** Whether responses are searched in the text. */
    public boolean isSearched() {
        return !start.isEmpty();
    }

    /** Whether the responses of a conversation are those that its template tells. */
    public boolean areTold(boolean isConversation) {
        return from != LearnFrom.EVERYTHING && isConversation;
    }

    /**
     * The responses of a document.
     *
     * @param tokens   whether each token lies at least partly in a response
     * @param isMarked whether the document contains a response
     * @param isOpen   whether the last response lacks its end marker
     */
    public record Found(boolean[] tokens, boolean isMarked, boolean isOpen) {
    }

    /** Returns a test, for executors, of whether a document has a response; it is true of all if no responses are looked for. */
    public Function<TokenizedDocument, Boolean> test(JavaSparkContext sc, TokenizerDefinition tokenizer) {
        if (isEverything()) {
            return document -> true;
        }
        TokenTexts texts = TokenTexts.of(sc, tokenizer);
        Responses self = this;
        return document -> self.areIn(document, texts);
    }

    private boolean areIn(TokenizedDocument document, TokenTexts texts) {
        return areTold(document.parts() != null) ? document.hasResponse()
                : isSearched() && find(TokenTexts.pieces(document.sequences(), texts.get())).isMarked();
    }

    /**
     * Checks the share of documents without a response, before scoring as well, so that the teacher does not work for a {@code train} that must fail.
     *
     * @param documents number of training documents
     * @param unmarked  number of those without a response
     * @throws org.potstill.errors.UserException if there are too many
     */
    public void require(long documents, long unmarked) {
        if (unmarked == documents) {
            throw CorpusErrors.nothingToLearn(isSearched());
        }
        if (unmarked > maxUnmarkedShare * documents) {
            throw CorpusErrors.tooManyUnmarked(unmarked, documents, maxUnmarkedShare, isSearched());
        }
        if (unmarked > 0) {
            LOG.warn("{} of {} documents contain no response and are not used for training", unmarked, documents);
        }
    }

    /**
     * Finds the responses of a document.
     *
     * @param pieces the text of each of its tokens
     */
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
            if (from == LearnFrom.LAST_RESPONSE) {
                Arrays.fill(tokens, false);
            }
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

    /** Returns the position after the next occurrence of any form, or −1. */
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
