// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache.upkeep;

import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.ShardWriter;
import scala.Tuple2;

/**
 * Rewrites rows of label files into fewer files, sorted by key, with one row per key, then hides the old files. If it is killed before
 * that, rows exist twice, which is harmless; the next rewriting removes them.
 */
public final class LabelRewriting {
    private final LabelStore store;
    private final JavaSparkContext sc;

    public LabelRewriting(SparkSession spark, LabelStore store) {
        this.store = store;
        this.sc = new JavaSparkContext(spark.sparkContext());
    }

    /**
     * Writes the rows and hides the files that they were in.
     *
     * @param sources files that contain all rows
     * @param rows    rows to keep, from {@link LabelStore#rows}; they must depend only on the sources and the reason
     * @param files   number of files to write
     * @param reason  reason for the rewriting
     * @return the name of the tombstone
     */
    public String rewrite(List<FileStatus> sources, Dataset<Row> rows, int files, String reason) {
        List<String> names = sources.stream().map(file -> file.getPath().getName()).sorted().toList();
        String content = Sha256.of(reason + "\n" + String.join("\n", names) + "\n" + files);
        ShardWriter writer = store.shardWriter();
        Broadcast<SerializableConfiguration> hadoop = Cluster.hadoop(sc);
        rows.javaRDD().map(LabelStore::sequence).mapToPair(row -> new Tuple2<>(row.key(), row))
                .repartitionAndSortWithinPartitions(new KeyRanges(files)).values()
                .mapPartitionsWithIndex((range, sorted) -> {
                    OnePerKey kept = new OnePerKey(sorted);
                    return List.of(kept.hasNext() ? writer.write(content + range, kept, hadoop.value().value()) : 0L).iterator();
                }, false).collect();
        return store.tombstones().add(names.stream().map(name -> LabelStore.LABEL_FILES + name).toList(), reason);
    }

    /** Returns the number of files of about the target size for a total size. */
    static int files(long bytes, long targetBytes) {
        return (int) Math.max(1, Math.min(100_000, Math.round((double) bytes / targetBytes)));
    }
}
