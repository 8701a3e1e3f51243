package org.potstill.spark.cache;

import java.util.List;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.Sha256;
import org.potstill.spark.Cluster;
import scala.Tuple2;

/**
 * Writes rows of some label files anew, into few files, sorted by key, one row per key; then hides the old files. Killed before
 * that, it leaves rows twice, which harms nobody, and the next one mends.
 */
final class LabelRewriting {
    private final LabelStore store;
    private final JavaSparkContext sc;

    LabelRewriting(SparkSession spark, LabelStore store) {
        this.store = store;
        this.sc = new JavaSparkContext(spark.sparkContext());
    }

    /**
     * Writes the rows and hides the files that they were in.
     *
     * @param sources files that all rows are from
     * @param rows    of {@link LabelStore#rows}, those of the sources that shall stay; which they are depends on sources and reason alone
     * @param files   to write
     * @param reason  of the rewriting
     * @return the name of the tombstone
     */
    String rewrite(List<FileStatus> sources, Dataset<Row> rows, int files, String reason) {
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

    /** How many files of about a size hold so many bytes. */
    static int files(long bytes, long targetBytes) {
        return (int) Math.max(1, Math.min(100_000, Math.round((double) bytes / targetBytes)));
    }
}
