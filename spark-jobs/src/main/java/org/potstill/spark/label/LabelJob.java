// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.MemoryNeed;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.PassRecord;
import org.potstill.spark.cache.Snapshots;
import org.potstill.spark.cache.TeacherMixture;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.hardware.DeviceShare;
import org.potstill.spark.hardware.DeviceWork;
import org.potstill.spark.hardware.HardwareSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.teacher.TeacherDescription;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/**
 * The first pass: scores all sequences of the corpus that are not yet in the cache and stores the teacher's soft targets. Its steps, which
 * {@link MixtureLabelJob} takes for several teachers in turn, are {@link #open}, {@link #read}, {@link #score} and {@link #publish}.
 */
public final class LabelJob implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(LabelJob.class);

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final LabelSettings told;
    private final Tokenization tokenization;
    private final TeacherSource source;
    private final TeacherPass pass;
    private Corpus corpus;
    private OpenedTeacher teacher;
    private LabelStore store;
    private SeenDocuments read;
    private CorpusCount count;
    private String quarantine;
    private List<ShardResult> results = List.of();
    private UnscoredSequences unscored;
    private Snapshots.Draft draft;
    private double seconds;

    /**
     * What is known of the teacher before it scores.
     *
     * @param longest     maximum sequence length
     * @param flops       operations of the forward pass; null if the model's shape is unknown
     * @param description for the provenance
     */
    record OpenedTeacher(Labels labels, TokenizerDefinition tokenizer, int longest, ModelFlops flops,
            ObjectNode description) {
    }

    public LabelJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.told = LabelSettings.of(settings);
        this.tokenization = Tokenization.of(settings);
        this.source = TeacherSource.of(settings);
        this.pass = new TeacherPass(sc, source, told);
    }

    /**
     * Runs the pass.
     *
     * @return what the report shows of it
     */
    public LabelSummary run() {
        try (this) {
            open();
            prefetch();
            read();
            score();
            draft();
            return publish(null);
        }
    }

    /** Validates the settings of the pass. */
    public static void check(Settings settings) {
        LabelSettings.of(settings);
        TeacherSource.of(settings);
    }

    /** Finds the corpus, and opens the teacher's file to learn what it is. */
    OpenedTeacher open() {
        corpus = new Corpus(spark, settings);
        if (source.server() == null) {
            Teachers.requireDevice(source.options(1, 0));
        }
        new HadoopFolder("cache", settings.required("cache.path"), sc.hadoopConfiguration()).requireWritable();
        corpus.find();
        try (CausalLm model = source.model(sc.hadoopConfiguration())) {
            TeacherSource.warnOf(model);
            Teachers.require(model, source.options(1, 0));
            new MemoryNeed(sc.getConf(), "a teacher of " + model.parameters() + " parameters", "use a smaller teacher, or teacher.precision = int8")
                    .model(model.parameters() * source.precision().bytes());
            int longest = model.maxPositionEmbeddings();
            if (tokenization.sequenceLength() > longest) {
                throw JobErrors.badValue("sequence-length", "the teacher was made for at most " + longest + " positions");
            }
            TokenizerDefinition tokenizer = model.tokenizer();
            teacher = new OpenedTeacher(new Labels(source.fingerprint(model), tokenizer.fingerprint(), model.vocabSize(), told.spec()), tokenizer, longest,
                    model instanceof Checkpoint checkpoint ? ModelFlops.of(checkpoint.config()) : null, TeacherDescription.of(model, source));
        }
        store = new LabelStore(spark, settings.required("cache.path"), teacher.labels());
        return teacher;
    }

    /** Makes executors load the teacher while the corpus is read and tokenized, if the cache is still empty. */
    void prefetch() {
        if (store.isEmpty()) {
            pass.prefetch(teacher.labels().teacher());
        }
    }

    /** Reads and tokenizes the corpus, and checks that it can be used. */
    void read() {
        long begin = System.nanoTime();
        store.describe(teacher.description(), teacher.tokenizer());
        read = new SeenDocuments(spark, settings, tokenization, teacher, store, corpus);
        read.read(told.isFull());
        count = CorpusCount.of(read.count());
        if (count.documents() == 0) {
            throw CorpusErrors.emptyCorpus(corpus.name());
        }
        quarantine = store.quarantine(read.unusable());
        corpus.requireUsable(count.documents(), count.unusable(), told.maxBadShare(), () -> corpus.problems().value(), quarantine);
        if (count.sequences() == 0) {
            throw CorpusErrors.nothingToTrainOn(corpus.name());
        }
        corpus.requireIds();
        read.sharedIds().ifPresent(shared -> LOG.warn("{}", shared));
        if (count.unusable() > 0) {
            LOG.warn("{} of {} documents cannot be used: {}; the reasons of all are in {}", count.unusable(), count.documents(),
                    corpus.problems().value(), quarantine);
        }
        read.requireResponses();
        seconds += (System.nanoTime() - begin) / 1e9;
    }

    /** Returns the documents, once they are read. */
    SeenDocuments documents() {
        return read;
    }

    /** Whether a document is a conversation. */
    boolean hasConversations() {
        return read.count().conversations() > 0;
    }

    /** Has the teacher score what the cache lacks, and stores it. */
    void score() {
        long begin = System.nanoTime();
        Labels labels = teacher.labels();
        unscored = new UnscoredSequences(labels, Map.of());
        if (read.isNothing()) {
            LOG.info("{} documents, {} tokens to learn from; nothing has changed since the last run", count.documents(), count.positions());
            return;
        }
        JavaRDD<TokenizedDocument> training = read.training();
        JavaPairRDD<String, PendingSequence> wanted = training
                .flatMap(d -> d.sequences().stream().map(tokens -> new PendingSequence(d.id(), labels.key(tokens), tokens)).iterator())
                .mapToPair(s -> new Tuple2<>(s.key(), s))
                .reduceByKey(PendingSequence::first);
        JavaRDD<PendingSequence> pending = wanted.subtractByKey(store.keysAmong(wanted.keys()).mapToPair(key -> new Tuple2<>(key, true))).values()
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        long pendingPositions = pending.map(s -> (long) s.positions()).fold(0L, Long::sum);
        LOG.info("{} documents, {} tokens to learn from; {} of them are not in the cache yet",
                count.documents(), count.positions(), pendingPositions);
        if (pendingPositions > 0) {
            store.requirePrior(() -> tokenCounts(training, labels.vocabSize()));
        }
        results = pendingPositions == 0 ? List.of() : pass.score(teacher.longest(), teacher.flops(), store, pending, pendingPositions);
        Cluster.release(pending);
        unscored = unscored(labels, results);
        if (!unscored.reasons().isEmpty()) {
            reportUnscored();
        }
        seconds += (System.nanoTime() - begin) / 1e9;
    }

    private void reportUnscored() {
        JavaRDD<TokenizedDocument> training = read.training();
        quarantine = store.quarantine(read.unusable().union(unscored.quarantined(training)));
        long sequences = count.sequences();
        count = read.count(unscored);
        String reasons = unscored.commonReasons(training);
        if (count.unscored() > told.maxBadShare() * sequences || count.sequences() == 0) {
            throw JobErrors.tooManyUnscored(count.unscored(), sequences, told.maxBadShare(), reasons, quarantine);
        }
        LOG.warn("the teacher could not score {} of {} sequences: {}; the reasons of all are in {}", count.unscored(), sequences,
                reasons, quarantine);
    }

    /** Returns the id of the snapshot that {@link #publish} will make the current one. */
    String draft() {
        long begin = System.nanoTime();
        LOG.info("recording which {} sequences the corpus consists of", count.sequences());
        draft = read.draft(unscored);
        seconds += (System.nanoTime() - begin) / 1e9;
        return draft.id();
    }

    /**
     * Records of which sequences the corpus consists, as {@link #draft} found.
     *
     * @param mixture the teachers that share the corpus with this one; null for none
     */
    LabelSummary publish(TeacherMixture mixture) {
        long begin = System.nanoTime();
        ObjectNode agreed = HadoopFolder.JSON.createObjectNode();
        agreed.put("sequence-length", tokenization.sequenceLength()).put("corpus.holdout", tokenization.holdout())
                .put("seed", tokenization.seed())
                .put("documents", count.documents()).put("held_out", count.heldOut())
                .put("sequences", count.sequences()).put("positions", count.positions());
        agreed.setAll(corpus.provenance());
        if (mixture != null) {
            mixture.addTo(agreed);
        }
        store.snapshots().publish(draft, read.seen(draft, unscored), agreed);
        seconds += (System.nanoTime() - begin) / 1e9;
        LabelSummary summary = summary();
        if (summary.scoredTokens() > 0) {
            log(summary);
            PassRecord.write(store.folder(), summary, settings, sc.version());
        }
        return summary;
    }

    /** Frees the tokenized corpus. */
    @Override
    public void close() {
        if (read != null) {
            read.close();
        }
    }

    private static long[] tokenCounts(JavaRDD<TokenizedDocument> documents, int vocabSize) {
        return documents.mapPartitions(part -> {
            long[] counts = new long[vocabSize];
            part.forEachRemaining(document ->
                    document.sequences().forEach(tokens -> Arrays.stream(tokens).forEach(token -> counts[token]++)));
            return List.of(counts).iterator();
        }).treeReduce((one, other) -> {
            Arrays.setAll(one, token -> one[token] + other[token]);
            return one;
        });
    }

    private static UnscoredSequences unscored(Labels labels, List<ShardResult> results) {
        Map<String, String> reasons = new TreeMap<>();
        results.forEach(shard -> reasons.putAll(shard.unscored()));
        return new UnscoredSequences(labels, reasons);
    }

    private LabelSummary summary() {
        long scored = results.stream().mapToLong(ShardResult::positions).sum();
        return new LabelSummary(corpus.provenance(), count, scored, results.stream().mapToLong(ShardResult::bytes).sum(),
                (int) results.stream().filter(shard -> shard.bytes() > 0).count(), seconds,
                results.stream().mapToDouble(ShardResult::storing).sum(), scored == 0 ? Double.NaN : results.stream().mapToDouble(ShardResult::lossSum).sum() / scored,
                scored == 0 ? Double.NaN : results.stream().mapToDouble(ShardResult::entropySum).sum() / scored,
                source.name(), pass.precisionCost(), ExecutorShare.of(results), store.folder().path().toString(), read.reuse(),
                DeviceShare.of(results.stream().map(ShardResult::work).reduce(DeviceWork.NONE, DeviceWork::plus)),
                told.hardware().cost(Cluster.executors(sc), seconds, scored));
    }

    private static void log(LabelSummary summary) {
        if (summary.hardware() != null) {
            LOG.info("model FLOPs while the teacher was scoring: {}", summary.hardware().describe(HardwareSettings.TEACHER));
        }
        if (summary.cost() != null) {
            LOG.info("cost of the executors: {}", summary.cost().describe());
        }
    }
}
