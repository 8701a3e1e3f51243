// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.LocalDate;
import java.time.format.DateTimeParseException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;

/**
 * The settings by which documents become sequences and some are held out.
 *
 * @param sequenceLength positions per sequence
 * @param holdout        share of documents held out
 * @param seed           seed of the hold-out
 * @param specialTokens  whether special tokens spelled out in the text are treated as such
 * @param ends           whether documents end with an end token
 * @param today          date for chat templates that print the current one, so that the same corpus has the same tokens tomorrow
 */
public record Tokenization(int sequenceLength, double holdout, long seed, boolean specialTokens, Ends ends, LocalDate today) implements Serializable {
    /** Whether documents end with an end token. */
    public enum Ends {
        /** As the tokenizer, or the chat template, does. */
        AUTO,
        ALWAYS,
        NEVER
    }

    private static final ExecutorCache<DocumentTokenizer> TOKENIZERS = new ExecutorCache<>();

    public static Tokenization of(Settings settings) {
        return new Tokenization(settings.integer("sequence-length", 2, 1 << 20),
                settings.real("corpus.holdout", 0, 0.9), settings.seed(), settings.flag("corpus.special-tokens"),
                settings.choice("corpus.end-documents", Ends.class), date(settings));
    }

    private static LocalDate date(Settings settings) {
        try {
            return LocalDate.parse(settings.string("corpus.template-date").trim());
        } catch (DateTimeParseException e) {
            settings.reject("corpus.template-date", "'" + settings.string("corpus.template-date") + "' is not a date such as 2024-07-26");
            return LocalDate.EPOCH;
        }
    }

    /** Returns a copy with sequences of at most this length. */
    public Tokenization atMost(int positions) {
        return new Tokenization(Math.min(sequenceLength, positions), holdout, seed, specialTokens, ends, today);
    }

    /** Returns a copy with another hold-out. */
    public Tokenization holdingOut(double share, long drawnBy) {
        return new Tokenization(sequenceLength, share, drawnBy, specialTokens, ends, today);
    }

    /**
     * Tokenizes documents.
     *
     * @param rows rows of the model's embedding; a document with a token beyond them cannot be used
     */
    public JavaRDD<TokenizedDocument> apply(JavaRDD<Document> documents, TokenizerDefinition definition, int rows) {
        Broadcast<TokenizerDefinition> shared = JavaSparkContext.fromSparkContext(documents.context()).broadcast(ended(definition));
        String identity = definition.fingerprint() + Sha256.of(definition.chatTemplate()) + this;
        Tokenization self = this;
        return documents.map(document -> (document.problem() != null ? TokenizedDocument.unusable(document.id(), document.problem())
                : TOKENIZERS.get(identity, () -> new DocumentTokenizer(self, shared.value())).tokenize(document, rows)).from(document.origin()));
    }

    private TokenizerDefinition ended(TokenizerDefinition definition) {
        if (ends == Ends.AUTO || ends == Ends.ALWAYS && !definition.end().isEmpty()) {
            return definition;
        }
        if (ends == Ends.ALWAYS && definition.eosId() < 0) {
            throw JobErrors.badValue("corpus.end-documents", "the tokenizer has no token that ends documents");
        }
        return definition.withEnd(ends == Ends.ALWAYS ? List.of(definition.eosId()) : List.of());
    }

    /** Whether a document is held out, decided by its content so that copies are held out together. */
    public boolean heldOut(String content) {
        MessageDigest sha = Sha256.digest();
        sha.update((seed + "\n").getBytes(StandardCharsets.UTF_8));
        byte[] digest = sha.digest(content.getBytes(StandardCharsets.UTF_8));
        long bits = 0;
        for (int i = 0; i < 6; i++) {
            bits = bits << 8 | digest[i] & 0xff;
        }
        return bits < holdout * (1L << 48);
    }

    /** Cuts a document's tokens into sequences, each of which begins with the last token of the previous one. */
    public List<int[]> cut(int[] tokens) {
        List<int[]> sequences = new ArrayList<>();
        for (int from = 0; from + 1 < tokens.length; from += sequenceLength) {
            sequences.add(Arrays.copyOfRange(tokens, from, Math.min(tokens.length, from + sequenceLength + 1)));
        }
        return sequences;
    }

    /** Cuts what a document's tokens belong to into the positions of its sequences; position t predicts token t + 1. */
    List<byte[]> cut(byte[] parts) {
        List<byte[]> sequences = new ArrayList<>();
        for (int from = 0; from + 1 < parts.length; from += sequenceLength) {
            sequences.add(Arrays.copyOfRange(parts, from + 1, Math.min(parts.length, from + sequenceLength + 1)));
        }
        return sequences;
    }
}
