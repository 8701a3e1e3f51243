// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The snapshots of a {@link LabelStore}: which sequences the corpus consisted of, and what the label run saw of it ({@link SeenCorpus}). */
public final class Snapshots {
    private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);
    private static final StructType ROWS = new StructType()
            .add("document", DataTypes.StringType, false)
            .add("sequence", DataTypes.IntegerType, false)
            .add("key", DataTypes.StringType, false)
            // Missing in snapshots of earlier versions.
            .add("responses", DataTypes.createArrayType(DataTypes.IntegerType, false), true)
            .add("last_response", DataTypes.IntegerType, true);
    /** Column with the number of the part of the corpus. */
    public static final String PART = "part";
    private static final String GONE = "gone";
    private static final StructType ROWS_OF_PARTS = ROWS.add(PART, DataTypes.LongType, true);
    /** The exclusive or of rows' hashes identifies the set of distinct rows, whatever their order. */
    private static final String HASH = "bit_xor(xxhash64(document, sequence, key, responses, last_response))";
    private static final int ROWS_PER_FILE = 1_000_000;

    private final SparkSession spark;
    private final LabelStore store;
    private final HadoopFolder folder;
    private final RunFolders runs;

    Snapshots(SparkSession spark, LabelStore store) {
        this.spark = spark;
        this.store = store;
        this.folder = store.folder().folder("snapshots");
        this.runs = new RunFolders(folder);
    }

    /** Returns the folders of the runs that wrote snapshots. */
    public RunFolders runs() {
        return runs;
    }

    /**
     * A snapshot that is not published yet.
     *
     * @param rows  its rows
     * @param fresh those of them that are persisted; null for none
     * @param sum   what identifies them
     * @param run   where they are already; null for nowhere
     * @param files in which the labels of all rows were found
     */
    public record Draft(Dataset<Row> rows, Dataset<Row> fresh, Sum sum, String run, LabelFiles files) {
        /** Returns what {@link LabelStore#currentSnapshot} is known by. */
        public String id() {
            return sum.id();
        }

        /** Identifies the files in which the labels were found. */
        public String labels() {
            return files.digest();
        }
    }

    /**
     * Identity of a set of rows.
     *
     * @param hash exclusive or of the rows' hashes
     * @param rows number of rows
     */
    record Sum(long hash, long rows) {
        static Sum of(Row row) {
            return new Sum(row.isNullAt(0) ? 0 : row.getLong(0), row.getLong(1));
        }

        Sum plus(Sum other) {
            return new Sum(hash ^ other.hash, rows + other.rows);
        }

        String id() {
            return String.format(Locale.ROOT, "%016x-%d", hash, rows);
        }

        static Sum parse(String id) {
            int dash = id.indexOf('-');
            return new Sum(Long.parseUnsignedLong(id.substring(0, dash), 16), Long.parseLong(id.substring(dash + 1)));
        }
    }

    /**
     * Identifies a snapshot of the corpus's sequences.
     *
     * @throws org.potstill.errors.UserException if labels of some sequences are missing
     */
    public Draft draft(JavaRDD<SnapshotEntry> entries) {
        Dataset<Row> fresh = table(entries);
        LabelFiles files = store.currentFiles();
        return new Draft(fresh, fresh, requirePresent(fresh), null, files);
    }

    /**
     * Identifies a snapshot that has rows of an earlier one.
     *
     * @param entries of the documents that were read
     * @param taken   the other rows
     * @throws org.potstill.errors.UserException if labels of some sequences are missing
     */
    public Draft draft(JavaRDD<SnapshotEntry> entries, Draft taken) {
        Dataset<Row> fresh = table(entries);
        Dataset<Row> all = fresh.union(taken.rows());
        LabelFiles files = store.currentFiles();
        return new Draft(all, fresh, files.contains(taken.files()) ? requirePresent(fresh).plus(taken.sum()) : requirePresent(all), null, files);
    }

    private Dataset<Row> table(JavaRDD<SnapshotEntry> entries) {
        return spark.createDataFrame(entries.map(Snapshots::row), ROWS_OF_PARTS).persist();
    }

    /**
     * Writes a snapshot and makes it the current one.
     *
     * @param seen     what the run saw of the corpus; null for nothing that can be recognised
     * @param settings settings that train and evaluate must match
     * @throws org.potstill.errors.UserException if labels of some sequences are missing, for example because they were pruned since the run
     *                                           began
     */
    public void publish(Draft draft, SeenCorpus seen, ObjectNode settings) {
        settings.put("id", draft.id());
        String run = draft.run() != null ? draft.run() : current(draft.id(), seen);
        if (run == null) {
            run = RunFolders.newRun();
            int files = (int) Math.min(10_000, 1 + draft.sum().rows() / ROWS_PER_FILE);
            Dataset<Row> rows = draft.rows();
            rows.repartitionByRange(files, rows.col("document"), rows.col("sequence")).sortWithinPartitions("document", "sequence")
                    .write().parquet(runs.path(run));
            if (seen != null) {
                seen.write(spark, folder.folder(run));
            }
        }
        runs.publish(run, settings);
        // Pruning checks the current snapshot again after writing its tombstones, so at least one of the two notices the other.
        if (!store.tombstones().generation().equals(draft.files().generation())) {
            requirePresent(draft.rows());
        }
        if (draft.fresh() != null) {
            draft.fresh().unpersist();
        }
    }

    /** Returns the run of the current snapshot if it is the same and has the same record, undamaged; otherwise null. */
    private String current(String id, SeenCorpus seen) {
        if (!runs.isPublished() || !runs.current().path("id").asText().equals(id)) {
            return null;
        }
        try {
            Earlier earlier = earlier();
            return seen == null || seen(earlier).filter(seen::isLike).isPresent() && again(earlier).sum().rows() > 0 ? earlier.run() : null;
        } catch (Exception e) {
            LOG.debug("cannot read the current snapshot, which is therefore written anew", e);
            return null;
        }
    }

    /**
     * Checks that all labels of rows are present and, in the same pass, computes what identifies the rows.
     *
     * @throws org.potstill.errors.UserException if labels are missing
     */
    private Sum requirePresent(Dataset<Row> rows) {
        Dataset<Row> wanted = rows.groupBy("key").agg(functions.expr(HASH).as("hash"), functions.count("key").as("rows"));
        Dataset<Row> held = store.keysAmong(rows).distinct().withColumn("held", functions.lit(true));
        Row sums = wanted.join(held, wanted.col("key").equalTo(held.col("key")), "left")
                .agg(functions.expr("bit_xor(hash)"), functions.expr("coalesce(sum(rows), 0L)"), functions.expr("count_if(held is null)"),
                        functions.count(functions.lit(1))).first();
        if (sums.getLong(2) > 0) {
            throw JobErrors.missingLabels(store.folder().path().toString(), sums.getLong(2), sums.getLong(3));
        }
        return Sum.of(sums);
    }

    /**
     * Returns what the run that made a snapshot saw of its corpus; empty if it left no record.
     *
     * @throws Exception if the record is damaged or of another version
     */
    public Optional<SeenCorpus> seen(Earlier earlier) throws Exception {
        HadoopFolder run = folder.folder(earlier.run());
        return SeenCorpus.exists(run) ? Optional.of(SeenCorpus.read(spark, run)) : Optional.empty();
    }

    /**
     * The current snapshot, to take rows over from.
     *
     * @param run   where it is
     * @param id    see {@link Draft#id}
     * @param rows  all of its rows, with their parts
     * @param files that are there now
     */
    public record Earlier(String run, String id, Dataset<Row> rows, LabelFiles files) {
        /** Whether the label files are those in which a record says that all labels are. */
        public boolean has(SeenCorpus seen) {
            return files.digest().equals(seen.labels());
        }
    }

    /** Opens the current snapshot. */
    public Earlier earlier() {
        ObjectNode current = runs.current();
        String run = current.path("run").asText();
        return new Earlier(run, current.path("id").asText(), LabelStore.read(spark, ROWS_OF_PARTS, runs.path(run)), store.currentFiles());
    }

    /** Returns the parts of which labels are missing; none if nothing happened to the label files since the record was made. */
    public Set<Long> partsWithoutLabels(Earlier earlier, SeenCorpus seen) {
        if (earlier.has(seen)) {
            return Set.of();
        }
        Dataset<Row> held = store.rows().select("key");
        return new HashSet<>(earlier.rows().join(held, earlier.rows().col("key").equalTo(held.col("key")), "left_anti")
                .select(PART).distinct().as(Encoders.LONG()).collectAsList());
    }

    /**
     * Takes over rows of an earlier snapshot.
     *
     * @param gone numbers of the parts whose rows are not taken over
     * @throws IllegalStateException if the snapshot is not the one that its id names
     */
    public Draft take(Earlier earlier, List<Long> gone) {
        Dataset<Row> marked = earlier.rows().join(numbers(gone), functions.col(PART).equalTo(functions.col(GONE)), "left");
        Map<Boolean, Sum> sums = new HashMap<>();
        marked.groupBy(functions.col(GONE).isNotNull()).agg(functions.expr(HASH), functions.count(functions.lit(1))).collectAsList()
                .forEach(row -> sums.put(row.getBoolean(0), new Sum(row.getLong(1), row.getLong(2))));
        Sum taken = sums.getOrDefault(false, new Sum(0, 0));
        if (!taken.plus(sums.getOrDefault(true, new Sum(0, 0))).id().equals(earlier.id())) {
            throw new IllegalStateException("its rows are not those that " + earlier.id() + " names");
        }
        return new Draft(without(earlier.rows(), gone), null, taken, null, earlier.files());
    }

    /** Returns the rows of all parts but some. */
    public Dataset<Row> without(Dataset<Row> rows, List<Long> gone) {
        return gone.isEmpty() ? rows : rows.join(numbers(gone), functions.col(PART).equalTo(functions.col(GONE)), "left_anti");
    }

    private Dataset<Row> numbers(List<Long> parts) {
        return functions.broadcast(spark.createDataset(parts, Encoders.LONG()).toDF(GONE));
    }

    /**
     * Returns an earlier snapshot as one to publish again.
     *
     * @throws IllegalStateException if rows are missing
     */
    public Draft again(Earlier earlier) {
        Sum sum = Sum.parse(earlier.id());
        if (earlier.rows().count() != sum.rows()) {
            throw new IllegalStateException("it has not as many rows as " + earlier.id() + " says");
        }
        return new Draft(earlier.rows(), null, sum, earlier.run(), earlier.files());
    }

    /** Returns the current snapshot's rows. */
    Dataset<Row> table() {
        return LabelStore.read(spark, ROWS, runs.currentPath());
    }

    /** Converts a row of {@link #table}. */
    static SnapshotEntry entry(Row row) {
        return new SnapshotEntry(row.getString(0), row.getInt(1), row.getString(2),
                row.isNullAt(3) ? null : new ResponseRuns(new ArrayList<>(row.getList(3)), row.getAs(4)));
    }

    private static Row row(SnapshotEntry entry) {
        ResponseRuns responses = entry.responses();
        return RowFactory.create(entry.document(), entry.sequence(), entry.key(), responses == null ? null : responses.lengths().toArray(),
                responses == null ? null : responses.last(), entry.part());
    }
}
