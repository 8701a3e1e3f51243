package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SaveMode;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargetsCodec;
import org.potstill.softlabels.TargetSpec;
import org.potstill.softlabels.TokenPrior;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Versions;

/**
 * The soft labels of one teacher and target specification in the cache:
 *
 * <pre>
 * teacher=…/spec=…/provenance.json    what made them: the contract with every reader
 *                  tokenizer.json
 *                  priors/            how frequent tokens are held to be, see {@link TokenPriors}
 *                  labels/            Parquet, one row per sequence, keyed by content
 *                  snapshots/ID/      Parquet: which document is made of which sequences
 *                  snapshots/current.json
 *                  quarantine/        JSON lines: documents and sequences that could not be used, and why
 * </pre>
 */
public final class LabelStore {
    static final StructType LABELS = new StructType()
            .add("document", DataTypes.StringType, false)
            .add("key", DataTypes.StringType, false)
            .add("tokens", DataTypes.createArrayType(DataTypes.IntegerType, false), false)
            .add("targets", DataTypes.BinaryType, false)
            .add("teacher_loss", DataTypes.FloatType, false)
            .add("teacher_entropy", DataTypes.FloatType, false);
    private static final StructType SNAPSHOT = new StructType()
            .add("document", DataTypes.StringType, false)
            .add("sequence", DataTypes.IntegerType, false)
            .add("key", DataTypes.StringType, false);
    private static final StructType QUARANTINE = new StructType()
            .add("document", DataTypes.StringType, false)
            .add("sequence", DataTypes.IntegerType, true)
            .add("key", DataTypes.StringType, true)
            .add("problem", DataTypes.StringType, false);
    private static final int SNAPSHOT_ROWS_PER_FILE = 1_000_000;
    private static final String PROVENANCE = "provenance.json";

    private final SparkSession spark;
    private final HadoopFolder folder;
    private Labels labels;

    public LabelStore(SparkSession spark, String cache, Labels labels) {
        this.spark = spark;
        this.folder = new HadoopFolder("cache", cache, hadoop(spark)).folder(labels.folder());
        this.labels = labels.with(TokenPriors.in(folder, labels.vocabSize()));
    }

    /**
     * Finds what a cache holds of a target specification.
     *
     * @param wanted  target specification
     * @param teacher fingerprint that it must be of; null for the only one there is
     */
    public static LabelStore find(SparkSession spark, String cache, TargetSpec wanted, String teacher) {
        List<String> all = folders(spark, cache);
        List<Labels> found = all.stream().filter(held -> held.endsWith("/spec=" + wanted.name()))
                .map(held -> open(spark, cache, held).labels()).toList();
        if (found.isEmpty()) {
            throw JobErrors.noCache(cache, wanted.name(), all);
        }
        if (teacher == null && found.size() > 1) {
            throw JobErrors.ambiguousCache(cache, found.stream().map(Labels::teacher).toList());
        }
        Labels chosen = found.stream().filter(l -> teacher == null || l.teacher().equals(teacher)).findFirst()
                .orElseThrow(() -> JobErrors.cacheOfAnotherTeacher(cache, teacher, found.stream().map(Labels::teacher).toList()));
        return new LabelStore(spark, cache, chosen);
    }

    /** The folders {@code teacher=…/spec=…} of a cache that say what made them, in the order of names. */
    public static List<String> folders(SparkSession spark, String cache) {
        HadoopFolder root = new HadoopFolder("cache", cache, hadoop(spark));
        return root.names().stream().filter(teacher -> teacher.startsWith("teacher="))
                .flatMap(teacher -> root.folder(teacher).names().stream().map(spec -> teacher + "/" + spec))
                .filter(held -> root.folder(held).has(PROVENANCE)).toList();
    }

    /**
     * Opens what one folder of a cache holds.
     *
     * @param held see {@link #folders}
     * @throws UserException when its provenance is damaged or another folder's
     */
    public static LabelStore open(SparkSession spark, String cache, String held) {
        HadoopFolder folder = new HadoopFolder("cache", cache, hadoop(spark)).folder(held);
        String path = folder.path(PROVENANCE).toString();
        Labels labels = labels(folder.readJson(PROVENANCE), path);
        if (!labels.folder().equals(held)) {
            throw JobErrors.damagedJson(path, "it describes " + labels.folder() + " and lies in " + held);
        }
        return new LabelStore(spark, cache, labels);
    }

    private static Labels labels(JsonNode provenance, String path) {
        JsonNode teacher = provenance.path("teacher").path("fingerprint");
        JsonNode tokenizer = provenance.path("tokenizer").path("fingerprint");
        int vocab = provenance.path("teacher").path("vocab_size").asInt(0);
        String spec = provenance.path("targets").path("spec").asText();
        if (!teacher.asText().matches("[0-9a-f]{64}") || !tokenizer.asText().matches("[0-9a-f]{64}") || vocab < 1 || spec.isEmpty()) {
            throw JobErrors.damagedJson(path,
                    "it lacks the teacher's or the tokenizer's fingerprint, vocab_size or the target specification");
        }
        return new Labels(teacher.asText(), tokenizer.asText(), vocab, TargetSpec.parse(spec));
    }

    public Labels labels() {
        return labels;
    }

    public HadoopFolder folder() {
        return folder;
    }

    /**
     * Makes a prior for the rows to come, where there is none yet.
     *
     * @param counts of each token in the corpus
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

    /** Paths of the files with labels, in the order of names. */
    public List<String> files() {
        HadoopFolder held = folder.folder("labels");
        return held.names().stream().filter(name -> name.endsWith(".parquet") && !name.startsWith("_") && !name.startsWith("."))
                .map(name -> held.path(name).toString()).toList();
    }

    /** Writes what made the labels; must be there before the first of them. */
    public void describe(ObjectNode teacher, TokenizerDefinition tokenizer) {
        if (folder.has(PROVENANCE)) {
            return;
        }
        folder.writeText("tokenizer.json", tokenizer.json());
        ObjectNode json = HadoopFolder.JSON.createObjectNode();
        json.put("format", SoftTargetsCodec.VERSION).put("potstill", Versions.potstill())
                .put("created", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        json.set("teacher", teacher);
        json.putObject("tokenizer").put("fingerprint", labels.tokenizer()).put("bos_id", tokenizer.bosId())
                .put("eos_id", tokenizer.eosId()).put("add_bos", tokenizer.addBos());
        TargetSpec spec = labels.spec();
        json.putObject("targets").put("spec", spec.name()).put("k", spec.k()).put("draws", spec.draws()).put("seed", spec.seed())
                .put("tail", spec.hasGhost() ? "ghost" : "sampled").put("temperature", 1.0);
        folder.writeJson(PROVENANCE, json);
    }

    public JsonNode provenance() {
        return folder.readJson(PROVENANCE);
    }

    public TokenizerDefinition tokenizer() {
        JsonNode json = provenance().path("tokenizer");
        return new TokenizerDefinition(folder.readText("tokenizer.json"), json.path("bos_id").asInt(-1),
                json.path("eos_id").asInt(-1), json.path("add_bos").asBoolean());
    }

    public boolean isEmpty() {
        return files().isEmpty();
    }

    public JavaRDD<String> keys() {
        return rows().select("key").as(Encoders.STRING()).javaRDD();
    }

    /** One row per key. */
    public JavaRDD<LabelledSequence> sequences() {
        return rows().javaRDD()
                .mapToPair(row -> new scala.Tuple2<>(row.getString(1), new LabelledSequence(row.getString(0), row.getString(1),
                        row.<Integer>getList(2).stream().mapToInt(Integer::intValue).toArray(), row.getAs(3), row.getFloat(4),
                        row.getFloat(5))))
                .reduceByKey((one, same) -> one).values();
    }

    private Dataset<Row> rows() {
        return isEmpty() ? spark.createDataFrame(List.of(), LABELS) : spark.read().schema(LABELS).parquet(labelsPath());
    }

    /**
     * Records which sequences the corpus consists of now, and makes that the current snapshot.
     *
     * @param settings what train and evaluate must agree with
     */
    public void publishSnapshot(JavaRDD<SnapshotEntry> entries, ObjectNode settings) {
        Dataset<Row> table = spark.createDataFrame(
                entries.map(e -> RowFactory.create(e.document(), e.sequence(), e.key())), SNAPSHOT).persist();
        // Rows are distinct, so their hashes' exclusive or, with their number, names the set whatever its order.
        Row digest = table.agg(functions.expr("bit_xor(xxhash64(document, sequence, key))"), functions.count("key")).first();
        String id = String.format("%016x-%d", digest.isNullAt(0) ? 0 : digest.getLong(0), digest.getLong(1));
        if (!folder.folder("snapshots").has(id + "/_SUCCESS")) {
            int files = (int) Math.min(10_000, 1 + digest.getLong(1) / SNAPSHOT_ROWS_PER_FILE);
            table.repartitionByRange(files, table.col("document"), table.col("sequence")).sortWithinPartitions("document", "sequence")
                    .write().mode(SaveMode.Overwrite).parquet(folder.path("snapshots/" + id).toString());
        }
        table.unpersist();
        folder.folder("snapshots").writeJson("current.json", settings.put("id", id));
    }

    /** Whether a label run came to its end here. */
    public boolean hasSnapshot() {
        return folder.folder("snapshots").has("current.json");
    }

    /** Settings of the current snapshot, with its {@code id}. */
    public JsonNode currentSnapshot() {
        if (!hasSnapshot()) {
            throw JobErrors.noCache(folder.path().toString(), labels.spec().name() + " of a finished label run", List.of());
        }
        return folder.folder("snapshots").readJson("current.json");
    }

    public JavaRDD<SnapshotEntry> snapshot() {
        return spark.read().schema(SNAPSHOT).parquet(folder.path("snapshots/" + currentSnapshot().get("id").asText()).toString())
                .javaRDD().map(row -> new SnapshotEntry(row.getString(0), row.getInt(1), row.getString(2)));
    }

    /** Replaces the quarantine by these. @return where it is */
    public String quarantine(JavaRDD<Quarantined> unusable) {
        String path = folder.path("quarantine").toString();
        spark.createDataFrame(unusable.map(q -> RowFactory.create(q.document(), q.sequence(), q.key(), q.problem())), QUARANTINE)
                .coalesce(1).write().mode(SaveMode.Overwrite).json(path);
        return path;
    }

    private static Configuration hadoop(SparkSession spark) {
        return spark.sparkContext().hadoopConfiguration();
    }
}
