// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TokenPrior;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.storage.HadoopFolder;
import scala.Tuple2;

/**
 * The soft labels of one teacher and target specification in the cache:
 *
 * <pre>
 * teacher=…/spec=…/provenance.json        identity of the labels: the contract with every reader
 *                  tokenizer.json
 *                  priors/                assumed token frequencies, see {@link TokenPriors}
 *                  labels/part-*.parquet  one row per sequence, keyed by content
 *                  replaced/ID.json       names of files that have been replaced
 *                  snapshots/RUN/         Parquet: the sequences of each document; with a {@link SeenCorpus}
 *                  snapshots/current.json the current snapshot, and settings that train must match
 *                  passes/*.json          one record for each teacher pass
 *                  quarantine/RUN/        JSON lines: documents and sequences that could not be used, and why
 *                  quarantine/current.json
 * </pre>
 *
 * <p>Only the two {@code current.json} are ever overwritten. A label file appears atomically under a name derived from its rows.
 * If two files contain the same key, the rows are the same and readers keep one. A reader lists {@code replaced/} before
 * {@code labels/}, so it sees a compacted file's rows in the old files, in the new one or, at worst, in both. Names that begin with
 * {@code _} or {@code .} are not part of the cache. Several runs may write concurrently and be killed at any time, on local disks,
 * HDFS and object stores.
 */
public final class LabelStore {
    static final StructType LABELS = new StructType()
            .add("document", DataTypes.StringType, false)
            .add("key", DataTypes.StringType, false)
            .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("targets", DataTypes.BinaryType, false)
            .add("teacher_loss", DataTypes.FloatType, false)
            .add("teacher_entropy", DataTypes.FloatType, false);
    private static final StructType QUARANTINE = new StructType()
            .add("document", DataTypes.StringType, false)
            .add("sequence", DataTypes.IntegerType, true)
            .add("key", DataTypes.StringType, true)
            .add("problem", DataTypes.StringType, false);
    /** Column of {@link #rows} with the name of a row's file. */
    public static final String FILE = "file";
    /** Path of the label files, relative to the store's folder. */
    public static final String LABEL_FILES = "labels/";
    /** Option with which Spark itself reads the folders of tables, whose names are no globs. */
    private static final String GLOB_PATHS = "__globPaths__";
    /** Fewer keys than this are sent to all tasks, instead of all keys of the cache to the tasks that have them. */
    private static final long FEW_KEYS = 1_000_000;

    private final SparkSession spark;
    private final HadoopFolder folder;
    private final Provenance provenance;
    private Labels labels;
    private final Tombstones tombstones;
    private final Snapshots snapshots;
    private final RunFolders quarantines;

    public LabelStore(SparkSession spark, String cache, Labels labels) {
        this.spark = spark;
        this.folder = new HadoopFolder("cache", cache, hadoop(spark)).folder(labels.folder());
        this.provenance = new Provenance(folder);
        this.labels = labels.with(TokenPriors.in(folder, labels.vocabSize()));
        this.tombstones = new Tombstones(folder);
        this.snapshots = new Snapshots(spark, this);
        this.quarantines = new RunFolders(folder.folder("quarantine"));
    }

    public Labels labels() {
        return labels;
    }

    public HadoopFolder folder() {
        return folder;
    }

    /**
     * Writes a prior for the rows to come, if there is none yet.
     *
     * @param counts frequency of each token in the corpus, by id
     */
    public void requirePrior(Supplier<long[]> counts) {
        if (labels.priors().isEmpty()) {
            TokenPriors.write(folder, TokenPrior.of(counts.get()));
            labels = labels.with(TokenPriors.in(folder, labels.vocabSize()));
        }
    }

    public String labelsPath() {
        return folder.path("labels").toString();
    }

    /** Returns the paths of the label files, sorted by name. */
    public List<String> files() {
        return labelFiles().stream().map(file -> file.getPath().toString()).toList();
    }

    /** Returns the total size of the label files in bytes. */
    public long bytes() {
        return bytes(labelFiles());
    }

    public List<FileStatus> labelFiles() {
        Set<String> hidden = tombstones.hidden();
        return folder.folder("labels").list().stream().filter(file -> isLabels(file.getPath().getName()))
                .filter(file -> !hidden.contains(LABEL_FILES + file.getPath().getName())).toList();
    }

    private static boolean isLabels(String name) {
        return name.endsWith(".parquet") && !name.startsWith("_") && !name.startsWith(".");
    }

    /** Creates a writer of label files for executors, for the duration of one run. */
    public ShardWriter shardWriter() {
        return new ShardWriter(labelsPath(), labels, tombstones.generation());
    }

    /**
     * Writes the provenance, unless it exists; must be called before the first labels are written.
     *
     * @throws UserException if there are labels of the same teacher with another tokenizer
     */
    public void describe(ObjectNode teacher, TokenizerDefinition tokenizer) {
        provenance.describe(labels, teacher, tokenizer);
    }

    public JsonNode provenance() {
        return provenance.json();
    }

    public TokenizerDefinition tokenizer() {
        return provenance.tokenizer();
    }

    public boolean isEmpty() {
        return labelFiles().isEmpty();
    }

    /** Returns the keys that have labels, at least those among some. */
    public JavaRDD<String> keysAmong(JavaRDD<String> wanted) {
        return keysAmong(spark.createDataset(wanted.rdd(), Encoders.STRING()).toDF("key")).as(Encoders.STRING()).javaRDD();
    }

    /**
     * Returns the keys that have labels, at least those among some.
     *
     * @param wanted has a column {@code key}, and is read more than once
     */
    Dataset<Row> keysAmong(Dataset<Row> wanted) {
        Dataset<Row> all = rows().select("key");
        Dataset<Row> few = wanted.select("key");
        return few.count() > FEW_KEYS ? all : all.join(functions.broadcast(few), all.col("key").equalTo(few.col("key")), "left_semi");
    }

    /** Returns the label files that are there now. */
    LabelFiles currentFiles() {
        String generation = tombstones.generation();
        return LabelFiles.of(generation, labelFiles());
    }

    /** Returns one row per key. */
    public JavaRDD<LabelledSequence> sequences() {
        return rows().javaRDD().map(LabelStore::sequence).mapToPair(row -> new Tuple2<>(row.key(), row))
                .reduceByKey((one, same) -> one).values();
    }

    /** Returns what is known of each row without its soft targets. */
    JavaRDD<RowFacts> facts() {
        return rows().select(functions.col("key"), functions.size(functions.col("tokens")), functions.col("teacher_loss")).javaRDD()
                .map(row -> new RowFacts(row.getString(0), row.getInt(1) - 1, row.getFloat(2)));
    }

    /** Returns each row's key and token ids. */
    JavaRDD<Tuple2<String, int[]>> tokens() {
        return rows().select("key", "tokens").javaRDD().map(row -> new Tuple2<>(row.getString(0), tokens(row, 1)));
    }

    /**
     * Converts a row.
     *
     * @param row starts with the columns of {@link #LABELS}
     */
    public static LabelledSequence sequence(Row row) {
        return new LabelledSequence(row.getString(0), row.getString(1), tokens(row, 2), row.getAs(3), row.getFloat(4), row.getFloat(5));
    }

    private static int[] tokens(Row row, int column) {
        return row.<Integer>getList(column).stream().mapToInt(Integer::intValue).toArray();
    }

    /** Returns all rows, with the name of their file in the column {@link #FILE}. */
    public Dataset<Row> rows() {
        Set<String> hidden = tombstones.hidden();
        String[] names = hidden.stream().filter(path -> path.startsWith(LABEL_FILES)).map(path -> path.substring(LABEL_FILES.length())).toArray(String[]::new);
        // Must be listed after the tombstones.
        boolean any = folder.folder("labels").names().stream().anyMatch(LabelStore::isLabels);
        Dataset<Row> all = any ? read(spark, LABELS, labelsPath()).withColumn(FILE, functions.col("_metadata.file_name"))
                : spark.createDataFrame(List.of(), LABELS.add(FILE, DataTypes.StringType));
        return names.length == 0 ? all : all.where(functions.not(all.col(FILE).isin((Object[]) names)));
    }

    /**
     * Writes a snapshot of the corpus's sequences and makes it the current one.
     *
     * @param settings settings that train and evaluate must match
     * @throws UserException if labels of some sequences are missing, for example because they were pruned since the run began
     */
    public void publishSnapshot(JavaRDD<SnapshotEntry> entries, ObjectNode settings) {
        snapshots.publish(snapshots.draft(entries), null, settings);
    }

    /** Whether a label run has finished here. */
    public boolean hasSnapshot() {
        return snapshots.runs().isPublished();
    }

    /** Returns the settings of the current snapshot, with its {@code id}. */
    public JsonNode currentSnapshot() {
        if (!hasSnapshot()) {
            throw JobErrors.noCache(folder.path().toString(), labels.spec().name() + " of a finished label run", List.of());
        }
        return snapshots.runs().current();
    }

    /** Returns the teachers that share the corpus of the current snapshot, which then has only this teacher's documents; empty if none do. */
    public Optional<TeacherMixture> mixture() {
        return hasSnapshot() ? TeacherMixture.in(currentSnapshot()) : Optional.empty();
    }

    public JavaRDD<SnapshotEntry> snapshot() {
        currentSnapshot();
        return snapshotTable().javaRDD().map(Snapshots::entry);
    }

    public Dataset<Row> snapshotTable() {
        return snapshots.table();
    }

    /**
     * Replaces the contents of the quarantine.
     *
     * @return path of the new contents, JSON lines
     */
    public String quarantine(JavaRDD<Quarantined> unusable) {
        return quarantine(spark, quarantines, unusable);
    }

    /** Replaces the contents of any quarantine. */
    public static String quarantine(SparkSession spark, RunFolders quarantines, JavaRDD<Quarantined> unusable) {
        String run = RunFolders.newRun();
        spark.createDataFrame(unusable.map(q -> RowFactory.create(q.document(), q.sequence(), q.key(), q.problem())), QUARANTINE)
                .coalesce(1).write().json(quarantines.path(run));
        quarantines.publish(run, HadoopFolder.JSON.createObjectNode());
        return quarantines.path(run);
    }

    /** Returns the path of the last label run's quarantine, JSON lines. */
    public String quarantinePath() {
        return quarantines.currentPath();
    }

    /**
     * Whether a current.json names this folder.
     *
     * @param path relative to the store's folder
     */
    public boolean isInForce(String path) {
        return Stream.of(snapshots.runs(), quarantines).filter(RunFolders::isPublished)
                .anyMatch(runs -> runs.currentPath().equals(folder.path(path).toString()));
    }

    public Tombstones tombstones() {
        return tombstones;
    }

    public Snapshots snapshots() {
        return snapshots;
    }

    public RunFolders quarantines() {
        return quarantines;
    }

    /** Reads a folder of Parquet files whose path is literal, even with characters that Spark otherwise takes for a glob. */
    public static Dataset<Row> read(SparkSession spark, StructType columns, String path) {
        return spark.read().schema(columns).option(GLOB_PATHS, "false").parquet(path);
    }

    private static Configuration hadoop(SparkSession spark) {
        return spark.sparkContext().hadoopConfiguration();
    }

    /** Returns the size of some files. */
    public static long bytes(List<FileStatus> files) {
        return files.stream().collect(Collectors.summingLong(FileStatus::getLen));
    }
}
