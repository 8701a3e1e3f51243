package org.potstill.spark.corpus;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.checkpoints.Sha256;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.ExecutorCache;
import org.potstill.spark.Settings;

/**
 * How documents become sequences, and which are held out.
 *
 * @param sequenceLength positions per sequence
 * @param holdout        share of documents held out
 * @param seed           of that draw
 * @param specialTokens  whether special tokens spelled out in the text are meant as such
 */
public record Tokenization(int sequenceLength, double holdout, long seed, boolean specialTokens) implements Serializable {
    private static final ExecutorCache<Tokenizer> TOKENIZERS = new ExecutorCache<>();

    public static Tokenization of(Settings settings) {
        return new Tokenization(settings.integer("sequence-length", 2, 1 << 20),
                settings.real("corpus.holdout", 0, 0.9), settings.seed(), settings.flag("corpus.special-tokens"));
    }

    public JavaRDD<TokenizedDocument> apply(JavaRDD<Document> documents, TokenizerDefinition definition) {
        Broadcast<TokenizerDefinition> shared = JavaSparkContext.fromSparkContext(documents.context()).broadcast(definition);
        String fingerprint = definition.fingerprint();
        Tokenization self = this;
        return documents.map(document -> {
            if (document.problem() != null) {
                return new TokenizedDocument(document.id(), document.problem(), false, List.of());
            }
            Tokenizer tokenizer = TOKENIZERS.get(fingerprint, () -> new Tokenizer(shared.value()));
            int bos = shared.value().addBos() ? shared.value().bosId() : -1;
            return new TokenizedDocument(document.id(), null, self.heldOut(document.text()),
                    self.cut(tokenizer.encode(document.text(), self.specialTokens), bos));
        });
    }

    /** By content, so that copies of a document are held out together. */
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

    public List<int[]> cut(int[] ids, int bos) {
        int[] tokens = ids;
        if (bos >= 0) {
            tokens = new int[ids.length + 1];
            tokens[0] = bos;
            System.arraycopy(ids, 0, tokens, 1, ids.length);
        }
        List<int[]> sequences = new ArrayList<>();
        for (int from = 0; from + 1 < tokens.length; from += sequenceLength) {
            sequences.add(Arrays.copyOfRange(tokens, from, Math.min(tokens.length, from + sequenceLength + 1)));
        }
        return sequences;
    }
}
