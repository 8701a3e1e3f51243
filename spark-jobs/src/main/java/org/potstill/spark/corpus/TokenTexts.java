// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.potstill.checkpoints.tokenizer.TokenBytes;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;

/** The texts of a tokenizer's tokens on executors, each of which caches the last tokenizer. */
public final class TokenTexts implements Serializable {
    private static final long serialVersionUID = 1L;
    private static TokenBytes last;
    private static String fingerprintOfLast = "";

    private final Broadcast<TokenizerDefinition> definition;
    private final String fingerprint;

    private TokenTexts(Broadcast<TokenizerDefinition> definition, String fingerprint) {
        this.definition = definition;
        this.fingerprint = fingerprint;
    }

    public static TokenTexts of(JavaSparkContext sc, TokenizerDefinition definition) {
        return new TokenTexts(sc.broadcast(definition), definition.fingerprint());
    }

    public TokenBytes get() {
        synchronized (TokenTexts.class) {
            if (!fingerprintOfLast.equals(fingerprint)) {
                last = TokenBytes.of(definition.value());
                fingerprintOfLast = fingerprint;
            }
            return last;
        }
    }

    /** Lists the texts of the tokens of consecutive sequences, each of which begins with the last token of the previous one. */
    public static List<byte[]> pieces(List<int[]> sequences, TokenBytes bytes) {
        List<byte[]> pieces = new ArrayList<>();
        for (int[] tokens : sequences) {
            for (int t = pieces.isEmpty() ? 0 : 1; t < tokens.length; t++) {
                pieces.add(bytes.bytes(tokens[t]));
            }
        }
        return pieces;
    }
}
