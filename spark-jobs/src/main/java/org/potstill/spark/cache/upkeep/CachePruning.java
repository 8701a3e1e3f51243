// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache.upkeep;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Tombstones;
import org.potstill.spark.storage.HadoopFolder;

/**
 * Removal of obsolete data in two steps. First, rows that the current snapshot does not reference, earlier snapshots and earlier
 * quarantines are hidden from readers. Data that has been hidden, by this or by {@link CacheCompaction}, for longer than the
 * retention is deleted, so that readers which started earlier can finish. Data younger than the retention stays, since a label run
 * may be about to reference it.
 */
public final class CachePruning {
    public static final int RETENTION_HOURS = 24;

    private final SparkSession spark;
    private final long retentionMillis;
    private final boolean dryRun;

    /**
     * Prepares to prune stores.
     *
     * @param retention must exceed the duration of any job that reads or writes the cache
     * @param dryRun    whether to only count what is obsolete and what could be deleted now
     */
    public CachePruning(SparkSession spark, Duration retention, boolean dryRun) {
        this.spark = spark;
        this.retentionMillis = retention.toMillis();
        this.dryRun = dryRun;
    }

    public CacheChange prune(LabelStore store) {
        long old = System.currentTimeMillis() - retentionMillis;
        List<FileStatus> before = store.labelFiles();
        long rowsBefore = store.rows().count();
        Useless useless = store.hasSnapshot() ? useless(store, before, old) : new Useless("", List.of(), null, 0, 0);
        if (!dryRun) {
            hide(store, useless);
            hideRuns(store, old);
        }
        List<FileStatus> deleted = new ArrayList<>(deleteHidden(store, old));
        deleted.addAll(deleteIncoming(store, old));
        String folder = store.folder().path().toString();
        if (dryRun) {
            long bytes = LabelStore.bytes(before);
            return new CacheChange(folder, rowsBefore, rowsBefore - useless.rows(), bytes, bytes - useless.bytes(), before.size(),
                    before.size() - useless.files().size() + useless.filesAfter(), deleted.size(), LabelStore.bytes(deleted));
        }
        List<FileStatus> after = store.labelFiles();
        return new CacheChange(folder, rowsBefore, store.rows().count(), LabelStore.bytes(before), LabelStore.bytes(after),
                before.size(), after.size(), deleted.size(), LabelStore.bytes(deleted));
    }

    /**
     * Rows that the current snapshot does not reference.
     *
     * @param snapshot id of the snapshot
     * @param files    files that contain such rows
     * @param kept     the other rows of these files
     * @param rows     number of rows to drop
     * @param bytes    approximate number of bytes to drop
     */
    private record Useless(String snapshot, List<FileStatus> files, Dataset<Row> kept, long rows, long bytes) {
        int filesAfter() {
            long remaining = LabelStore.bytes(files) - bytes;
            return remaining <= 0 ? 0 : LabelRewriting.files(remaining, CacheCompaction.TARGET_BYTES);
        }
    }

    private static Useless useless(LabelStore store, List<FileStatus> files, long old) {
        String snapshot = store.currentSnapshot().path("id").asText();
        Dataset<Row> rows = store.rows();
        Dataset<Row> named = store.snapshotTable().select("key").distinct();
        Map<String, Row> counts = new HashMap<>();
        rows.select("key", LabelStore.FILE)
                .join(named.withColumnRenamed("key", "named"), functions.col("key").equalTo(functions.col("named")), "left")
                .groupBy(LabelStore.FILE).agg(functions.count("key"), functions.count("named")).collectAsList()
                .forEach(count -> counts.put(count.getString(0), count));
        List<FileStatus> sources = new ArrayList<>();
        long gone = 0;
        double bytes = 0;
        for (FileStatus file : files) {
            Row count = counts.get(file.getPath().getName());
            if (count != null && count.getLong(2) < count.getLong(1) && file.getModificationTime() <= old) {
                sources.add(file);
                gone += count.getLong(1) - count.getLong(2);
                bytes += (double) file.getLen() * (count.getLong(1) - count.getLong(2)) / count.getLong(1);
            }
        }
        Object[] names = sources.stream().map(file -> file.getPath().getName()).toArray();
        Dataset<Row> kept = rows.where(rows.col(LabelStore.FILE).isin(names))
                .join(named, rows.col("key").equalTo(named.col("key")), "left_semi");
        return new Useless(snapshot, sources, kept, gone, (long) bytes);
    }

    private void hide(LabelStore store, Useless useless) {
        if (useless.files().isEmpty()) {
            return;
        }
        String tombstone = new LabelRewriting(spark, store).rewrite(useless.files(), useless.kept(), Math.max(1, useless.filesAfter()),
                "prune " + useless.snapshot());
        // A label run that published meanwhile may reference these rows; it checks for tombstones after publishing, as we check here.
        if (!store.currentSnapshot().path("id").asText().equals(useless.snapshot())) {
            store.tombstones().delete(tombstone);
        }
    }

    private static void hideRuns(LabelStore store, long old) {
        Set<String> hidden = store.tombstones().hidden();
        List<String> useless = new ArrayList<>();
        Map.of("snapshots/", store.snapshots().runs(), "quarantine/", store.quarantines()).forEach((folder, runs) -> runs.others().stream()
                .filter(run -> !hidden.contains(folder + run) && runs.modified(run) <= old).forEach(run -> useless.add(folder + run)));
        if (!useless.isEmpty()) {
            store.tombstones().add(useless, "prune");
        }
    }

    private List<FileStatus> deleteHidden(LabelStore store, long old) {
        List<FileStatus> deleted = new ArrayList<>();
        for (Tombstones.Tombstone tombstone : store.tombstones().all()) {
            if (tombstone.since() <= old) {
                for (String path : tombstone.paths()) {
                    // A run that was unfinished when it was hidden may be current by now.
                    if (!store.isInForce(path)) {
                        delete(store.folder(), path, deleted);
                    }
                }
                if (!dryRun) {
                    store.tombstones().delete(tombstone.name());
                }
            }
        }
        return deleted;
    }

    private List<FileStatus> deleteIncoming(LabelStore store, long old) {
        List<FileStatus> deleted = new ArrayList<>();
        List<HadoopFolder> folders = new ArrayList<>(List.of(store.folder()));
        store.folder().list().stream().filter(FileStatus::isDirectory).forEach(each -> folders.add(store.folder().folder(each.getPath().getName())));
        for (HadoopFolder folder : folders) {
            folder.list().stream().filter(file -> HadoopFolder.isIncoming(file.getPath().getName()) && file.getModificationTime() <= old)
                    .forEach(file -> delete(folder, file.getPath().getName(), deleted));
        }
        return deleted;
    }

    private void delete(HadoopFolder folder, String path, List<FileStatus> deleted) {
        deleted.addAll(folder.folder(path).tree());
        if (!dryRun) {
            folder.delete(path);
        }
    }
}
