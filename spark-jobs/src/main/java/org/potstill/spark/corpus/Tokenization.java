// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.tokenizer.Tokenizer;
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
 */
public record Tokenization(int sequenceLength, double holdout, long seed, boolean specialTokens, Ends ends) implements Serializable {
    /** Whether documents end with an end token. */
    public enum Ends {
        /** As the tokenizer does. */
        AUTO,
        ALWAYS,
        NEVER
    }

    private static final ExecutorCache<Tokenizer> TOKENIZERS = new ExecutorCache<>();

    public static Tokenization of(Settings settings) {
        return new Tokenization(settings.integer("sequence-length", 2, 1 << 20),
                settings.real("corpus.holdout", 0, 0.9), settings.seed(), settings.flag("corpus.special-tokens"),
                settings.choice("corpus.end-documents", Ends.class));
    }

    /** Returns a copy with sequences of at most this length. */
    public Tokenization atMost(int positions) {
        return new Tokenization(Math.min(sequenceLength, positions), holdout, seed, specialTokens, ends);
    }

    /** Returns a copy with another hold-out. */
    public Tokenization holdingOut(double share, long drawnBy) {
        return new Tokenization(sequenceLength, share, drawnBy, specialTokens, ends);
    }

    /**
     * Tokenizes documents.
     *
     * @param rows rows of the model's embedding; a document with a token beyond them cannot be used
     */
    public JavaRDD<TokenizedDocument> apply(JavaRDD<Document> documents, TokenizerDefinition definition, int rows) {
        Broadcast<TokenizerDefinition> shared = JavaSparkContext.fromSparkContext(documents.context()).broadcast(ended(definition));
        String fingerprint = definition.fingerprint();
        Tokenization self = this;
        return documents.map(document -> {
            if (document.problem() != null) {
                return new TokenizedDocument(document.id(), document.problem(), false, List.of());
            }
            Tokenizer tokenizer = TOKENIZERS.get(fingerprint, () -> new Tokenizer(shared.value()));
            int[] ids = tokenizer.encode(document.text(), self.specialTokens);
            Optional<String> beyond = tokenizer.beyondRows(ids, rows);
            if (beyond.isPresent()) {
                return new TokenizedDocument(document.id(), beyond.get(), false, List.of());
            }
            return new TokenizedDocument(document.id(), null, self.heldOut(document.text()),
                    self.cut(ids.length == 0 ? ids : shared.value().document(ids)));
        });
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

    /** Whether a text is held out, decided by content so that copies are held out together. */
    public boolean heldOut(String text) {
        MessageDigest sha = Sha256.digest();
        sha.update((seed + "\n").getBytes(StandardCharsets.UTF_8));
        byte[] digest = sha.digest(text.getBytes(StandardCharsets.UTF_8));
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
}
