// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import java.io.Serializable;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.teacher.scoring.Batches;

/**
 * Calibration text for pruning: sequences of the training documents, longest first, otherwise in an order that depends only on their
 * content and the seed.
 *
 * @param batches sequences per forward pass, the same on any cluster
 */
record PruningText(List<List<int[]>> batches) {
    /**
     * Draws the text.
     *
     * @param tokens      positions to take, if the documents have as many
     * @param batchTokens positions per batch
     */
    static PruningText draw(JavaRDD<TokenizedDocument> documents, int tokens, int batchTokens, long seed, String corpus) {
        JavaRDD<Drawn> all = documents.filter(document -> !document.heldOut())
                .flatMap(document -> document.sequences().iterator())
                .map(sequence -> new Drawn(key(sequence, seed), sequence));
        List<int[]> sequences = List.of();
        // As many as will do where sequences are long, and more where they are not: the same ones, however many are asked for.
        int count = 64;
        for (boolean enough = false; !enough; count *= 4) {
            List<Drawn> first = all.takeOrdered(count, Drawn.ORDER);
            sequences = upTo(tokens, first);
            enough = first.size() < count || sequences.stream().mapToLong(s -> s.length - 1L).sum() >= tokens;
        }
        if (sequences.isEmpty()) {
            throw CorpusErrors.nothingToTrainOn(corpus);
        }
        List<int[]> drawn = sequences;
        int[] lengths = drawn.stream().mapToInt(s -> s.length).toArray();
        int longest = Arrays.stream(lengths).max().orElseThrow();
        return new PruningText(Batches.plan(lengths, longest, batchTokens).stream()
                .map(members -> Arrays.stream(members).mapToObj(drawn::get).toList()).toList());
    }

    /** A sequence with its sort key. */
    private record Drawn(String key, int[] tokens) implements Serializable {
        static final Comparator<Drawn> ORDER = (Comparator<Drawn> & Serializable) (a, b) -> a.key.compareTo(b.key);
    }

    /** Returns the first distinct sequences that together have this many positions. */
    private static List<int[]> upTo(int tokens, List<Drawn> ordered) {
        Map<String, int[]> chosen = new LinkedHashMap<>();
        int positions = 0;
        for (Drawn each : ordered) {
            if (positions < tokens && chosen.put(each.key, each.tokens) == null) {
                positions += each.tokens.length - 1;
            }
        }
        return List.copyOf(chosen.values());
    }

    private static String key(int[] sequence, long seed) {
        MessageDigest sha = Sha256.digest();
        sha.update((seed + "\n").getBytes(StandardCharsets.UTF_8));
        return String.format(Locale.ROOT, "%08x", Integer.MAX_VALUE - sequence.length) + HexFormat.of().formatHex(sha.digest(bytes(sequence)));
    }

    private static byte[] bytes(int[] sequence) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * sequence.length);
        bytes.asIntBuffer().put(sequence);
        return bytes.array();
    }

    long positions() {
        return batches.stream().flatMap(List::stream).mapToLong(s -> s.length - 1L).sum();
    }

    String fingerprint() {
        MessageDigest sha = Sha256.digest();
        batches.forEach(batch -> batch.forEach(sequence -> sha.update(bytes(sequence))));
        return HexFormat.of().formatHex(sha.digest());
    }
}
