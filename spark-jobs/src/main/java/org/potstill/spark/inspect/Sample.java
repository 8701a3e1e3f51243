// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.Cluster;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.LabelFile;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.inspect.Rescoring.Rescored;

/** Random sample of valid rows for rescoring. It depends only on keys and seed, not on the distribution of rows over files. */
record Sample(List<Drawn> rows) {
    record Drawn(String rank, String path, CheckedFile.Row row) implements Serializable {
    }

    /** Serializable comparator. */
    private interface ByRank extends Comparator<Drawn>, Serializable {
    }

    static Sample draw(JavaPairRDD<String, KeyRows> keys, int size, long seed) {
        ByRank byRank = (one, other) -> one.rank().compareTo(other.rank());
        return new Sample(keys.values().filter(rows -> rows.row().sound())
                .map(rows -> new Drawn(Sha256.of(seed + "\n" + rows.row().key()), rows.path(), rows.row())).takeOrdered(size, byRank));
    }

    List<Rescored> score(JavaSparkContext sc, Labels labels, Rescoring rescoring) {
        Map<String, Set<String>> byFile = rows.stream().collect(Collectors.groupingBy(Drawn::path, TreeMap::new,
                Collectors.mapping(drawn -> drawn.row().key(), Collectors.toCollection(TreeSet::new))));
        if (byFile.isEmpty()) {
            return List.of();
        }
        Broadcast<SerializableConfiguration> hadoop = Cluster.hadoop(sc);
        Broadcast<Map<String, Set<String>>> keys = sc.broadcast(byFile);
        long positions = rows.stream().mapToLong(drawn -> drawn.row().tokens() - 1L).sum();
        int tasks = Math.min(byFile.size(), Cluster.taskSlots(sc));
        try (Progress progress = Progress.of("score again", positions, sc.sc(), rescoring.tokens())) {
            return rescoring.apply(labels, sc.parallelize(List.copyOf(byFile.keySet()), tasks)
                    .flatMap(path -> read(path, keys.value().get(path), hadoop.value().value()))).collect();
        }
    }

    private static Iterator<LabelledSequence> read(String path, Set<String> keys, Configuration hadoop) {
        Map<String, LabelledSequence> found = new TreeMap<>();
        LabelFiles.read(path, hadoop, LabelFile.ALL, row -> {
            if (keys.contains(row.key())) {
                found.putIfAbsent(row.key(), row);
            }
        });
        return found.values().iterator();
    }

    Problems problems(List<Rescored> results) {
        Map<String, String> files = rows.stream().collect(Collectors.toMap(drawn -> drawn.row().key(), Drawn::path));
        return results.stream().filter(result -> !result.agrees()).map(result -> Problems.of(new Problem(Problem.Kind.TEACHER_DISAGREES,
                LabelFiles.name(files.get(result.key())), result.key(), result.problem() != null ? result.problem()
                        : String.format(Locale.ROOT, "soft targets differ by %.3g, loss or entropy by %.3g nats", result.difference(),
                                result.statistics()))))
                .reduce(Problems.NONE, Problems::plus);
    }

    static VerifySummary.Teacher summary(List<Rescored> results) {
        List<Rescored> scored = results.stream().filter(r -> r.problem() == null).toList();
        return new VerifySummary.Teacher(results.size(), results.stream().filter(Rescored::identical).count(),
                scored.stream().mapToDouble(Rescored::difference).max().orElse(0), scored.stream().mapToDouble(Rescored::statistics).max().orElse(0));
    }
}
