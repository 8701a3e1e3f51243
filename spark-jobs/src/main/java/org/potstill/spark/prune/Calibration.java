package org.potstill.spark.prune;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.apache.spark.api.java.JavaRDD;
import org.potstill.checkpoints.Sha256;
import org.potstill.spark.JobErrors;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.teacher.Batches;
import scala.Tuple2;

/**
 * The text that a model is measured on before it is pruned: sequences of the training documents, the longest first and
 * otherwise in an order that follows from their content and the seed.
 *
 * @param batches sequences that go through the model together, the same on any cluster
 */
record Calibration(List<List<int[]>> batches) {
    /**
     * @param tokens positions to take; fewer where the documents have no more
     * @param batchTokens positions per batch
     */
    static Calibration draw(JavaRDD<TokenizedDocument> documents, int tokens, int batchTokens, long seed, String corpus) {
        List<Tuple2<String, int[]>> drawn = documents.filter(document -> !document.heldOut())
                .flatMap(document -> document.sequences().iterator())
                .mapToPair(sequence -> new Tuple2<>(key(sequence, seed), sequence))
                .reduceByKey((one, same) -> one)
                .sortByKey().take(tokens);
        List<int[]> sequences = new ArrayList<>();
        int positions = 0;
        for (Tuple2<String, int[]> each : drawn) {
            if (positions < tokens) {
                sequences.add(each._2());
                positions += each._2().length - 1;
            }
        }
        if (sequences.isEmpty()) {
            throw JobErrors.nothingToTrainOn(corpus);
        }
        int[] lengths = sequences.stream().mapToInt(s -> s.length).toArray();
        int longest = Arrays.stream(lengths).max().orElseThrow();
        return new Calibration(Batches.plan(lengths, longest, batchTokens).stream()
                .map(members -> Arrays.stream(members).mapToObj(sequences::get).toList()).toList());
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
