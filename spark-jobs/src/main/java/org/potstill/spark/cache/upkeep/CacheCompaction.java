// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache.upkeep;

import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Tombstones;

/**
 * Compaction of the many small files that label runs leave into few large ones, sorted by key, with one row per key. Files of at
 * least half the target size stay as they are, unless one of their rows is also in another file. Readers and label runs may
 * continue meanwhile: see {@link Tombstones}.
 */
public final class CacheCompaction {
    public static final long TARGET_BYTES = 128L << 20;
    private static final String REASON = "compact";

    private final SparkSession spark;
    private final long targetBytes;

    /** @param targetBytes approximate size of files: given enough data, between two thirds and three halves of it */
    public CacheCompaction(SparkSession spark, long targetBytes) {
        this.spark = spark;
        this.targetBytes = targetBytes;
    }

    public CacheChange compact(LabelStore store) {
        List<FileStatus> before = store.labelFiles();
        Dataset<Row> rows = store.rows();
        long rowsBefore = rows.count();
        Set<String> twice = Set.copyOf(filesWithRowsOfOthers(rows));
        List<FileStatus> sources = before.stream()
                .filter(file -> file.getLen() < targetBytes / 2 || twice.contains(file.getPath().getName())).toList();
        if (sources.size() < 2 && twice.isEmpty()) {
            return change(store, before, rowsBefore, before, rowsBefore);
        }
        Object[] names = sources.stream().map(file -> file.getPath().getName()).toArray();
        int files = LabelRewriting.files(LabelStore.bytes(sources), targetBytes);
        new LabelRewriting(spark, store).rewrite(sources, rows.where(rows.col(LabelStore.FILE).isin(names)), files, REASON);
        return change(store, before, rowsBefore, store.labelFiles(), store.rows().count());
    }

    private static List<String> filesWithRowsOfOthers(Dataset<Row> rows) {
        return rows.groupBy("key").agg(functions.count("key").as("rows"), functions.collect_set(LabelStore.FILE).as("files"))
                .where("rows > 1").select(functions.explode(functions.col("files"))).distinct().as(Encoders.STRING()).collectAsList();
    }

    private static CacheChange change(LabelStore store, List<FileStatus> before, long rowsBefore, List<FileStatus> after, long rowsAfter) {
        return new CacheChange(store.folder().path().toString(), rowsBefore, rowsAfter, LabelStore.bytes(before), LabelStore.bytes(after), before.size(),
                after.size(), 0, 0);
    }
}
