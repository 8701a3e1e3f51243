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
import java.util.Map;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.checkpoints.Sha256;
import org.potstill.spark.CorpusErrors;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.teacher.Batches;

/**
 * The text that a model is measured on before it is pruned: sequences of the training documents, the longest first and
 * otherwise in an order that follows from their content and the seed.
 *
 * @param batches sequences that go through the model together, the same on any cluster
 */
record PruningText(List<List<int[]>> batches) {
    /**
     * @param tokens positions to take; fewer where the documents have no more
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

    /** A sequence, and what it is ordered by. */
    private record Drawn(String key, int[] tokens) implements Serializable {
        static final Comparator<Drawn> ORDER = (Comparator<Drawn> & Serializable) (a, b) -> a.key.compareTo(b.key);
    }

    /** The first ones that together have so many positions, each once. */
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
        return String.format("%08x", Integer.MAX_VALUE - sequence.length) + HexFormat.of().formatHex(sha.digest(bytes(sequence)));
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
