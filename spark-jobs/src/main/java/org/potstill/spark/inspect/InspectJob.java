// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.SnapshotEntry;

/** Summary of a cache's contents. Unreadable data is counted, and the rest is summarised. */
public final class InspectJob {
    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Selection selection;

    public InspectJob(SparkSession spark, Selection selection) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.selection = selection;
    }

    /** Returns one summary per teacher and target specification. */
    public List<CacheSummary> run() {
        return selection.stores(spark).stream().map(this::summary).toList();
    }

    private CacheSummary summary(LabelStore store) {
        LabelFiles files = new LabelFiles(sc, store);
        Footers footers = files.footers();
        Labels labels = store.labels();
        LongAccumulator tokens = sc.sc().longAccumulator("tokens inspected");
        RowSums sums;
        try (Progress progress = Progress.of("inspect", footers.tokens(), sc.sc(), tokens)) {
            sums = files.map((path, hadoop) -> RowSums.of(labels, path, hadoop, tokens)).fold(new RowSums(), RowSums::plus);
        }
        boolean finished = store.hasSnapshot();
        JavaRDD<SnapshotEntry> snapshot = finished ? store.snapshot() : sc.emptyRDD();
        KeyCount count = KeyCount.of(files.keys(), snapshot.map(SnapshotEntry::key));
        CacheSummary.Snapshot current = !finished ? null : new CacheSummary.Snapshot(store.currentSnapshot().path("id").asText(),
                snapshot.map(SnapshotEntry::document).distinct().count(), snapshot.count(), count.named(), count.missingKeys(), count.unnamedRows(),
                store.mixture().map(mixture -> List.copyOf(mixture.teachers().keySet())).orElse(List.of()));
        boolean any = sums.positions > 0;
        return new CacheSummary(store.folder().path().toString(), store.provenance(), footers.files() == 0 ? null : time(footers.first()),
                footers.files() == 0 ? null : time(footers.last()), footers.writers(), footers.files(),
                footers.unreadable().examples().stream().map(p -> p.file() + ": " + p.detail()).toList(), footers.unreadable().count(),
                count.rows(), count.keys(), count.rows() - count.keys(), footers.positions(), sums.damaged, current, footers.bytes(),
                perToken(footers), any ? (double) sums.entries / sums.positions : null, any ? sums.loss / sums.positions : null,
                any ? Math.exp(sums.loss / sums.positions) : null, any ? sums.entropy / sums.positions : null, bars(sums.entropies));
    }

    private static String time(long millis) {
        return Instant.ofEpochMilli(millis).toString();
    }

    private static Map<String, Double> perToken(Footers footers) {
        Map<String, Double> bytes = new TreeMap<>();
        if (footers.positions() > 0) {
            long inColumns = footers.columnBytes().values().stream().mapToLong(Long::longValue).sum();
            footers.columnBytes().forEach((column, of) -> bytes.put(column, (double) of / footers.positions()));
            bytes.put("footers", (double) (footers.bytes() - inColumns) / footers.positions());
        }
        return bytes;
    }

    /** Returns the bars from the first to the last non-empty one. */
    private static List<CacheSummary.Bar> bars(long[] entropies) {
        List<CacheSummary.Bar> bars = new ArrayList<>();
        int held = 0;
        for (int i = 0; i < entropies.length; i++) {
            if (entropies[i] > 0 || !bars.isEmpty()) {
                bars.add(new CacheSummary.Bar(i * RowSums.BIN, (i + 1) * RowSums.BIN, entropies[i]));
            }
            held = entropies[i] > 0 ? bars.size() : held;
        }
        return List.copyOf(bars.subList(0, held));
    }
}
