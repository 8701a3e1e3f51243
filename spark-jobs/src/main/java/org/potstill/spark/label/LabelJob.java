package org.potstill.spark.label;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Progress;
import org.potstill.spark.Settings;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.teacher.OnnxTeacher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/** The first pass: the teacher's soft targets for every sequence of the corpus that the cache does not hold yet. */
public final class LabelJob {
    private static final Logger LOG = LoggerFactory.getLogger(LabelJob.class);

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;

    public LabelJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
    }

    /** @return what the report shows of the run */
    public LabelSummary run() {
        Corpus corpus = new Corpus(spark, settings);
        Tokenization tokenization = Tokenization.of(settings);
        TeacherSource source = TeacherSource.of(settings);
        OnnxTeacher.requireDevice(source.device());
        String cache = settings.required("cache.path");
        int k = settings.integer("targets.k", 1, org.potstill.softlabels.TargetSpec.MAX_K);
        new HadoopFolder("cache", cache, sc.hadoopConfiguration()).requireWritable();

        Labels labels;
        LabelStore store;
        TokenizerDefinition tokenizer;
        int longest;
        try (Checkpoint teacher = Checkpoints.open(source.localPath(sc.hadoopConfiguration()))) {
            longest = teacher.config().maxPositionEmbeddings();
            if (tokenization.sequenceLength() > longest) {
                throw JobErrors.badValue("sequence-length", "the teacher was made for at most " + longest + " positions");
            }
            tokenizer = teacher.tokenizer();
            labels = new Labels(teacher.fingerprint(), tokenizer.fingerprint(), teacher.config().vocabSize(), k);
            store = new LabelStore(spark, cache, labels);
            store.describe(TeacherDescription.of(teacher, source.uri()), tokenizer);
        }

        JavaRDD<TokenizedDocument> documents = tokenization.apply(corpus.documents(), tokenizer)
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        try {
            return label(corpus, tokenization, source, longest, labels, store, documents);
        } finally {
            documents.unpersist(false);
        }
    }

    private LabelSummary label(Corpus corpus, Tokenization tokenization, TeacherSource source, int longest,
            Labels labels, LabelStore store, JavaRDD<TokenizedDocument> documents) {
        long begin = System.nanoTime();
        CorpusCount count = CorpusCount.of(documents, new UnscoredSequences(labels, Map.of()));
        if (count.documents() == 0) {
            throw JobErrors.emptyCorpus(corpus.path());
        }
        JavaRDD<Quarantined> unusable = documents.filter(d -> d.problem() != null)
                .map(d -> new Quarantined(d.id(), null, null, d.problem()));
        String quarantine = store.quarantine(unusable);
        double limit = settings.real("corpus.max-bad-share", 0, 1);
        if (count.unusable() > limit * count.documents()) {
            throw JobErrors.tooManyBadDocuments(count.unusable(), count.documents(), limit, quarantine);
        }
        if (count.sequences() == 0) {
            throw JobErrors.nothingToTrainOn(corpus.path());
        }
        if (count.unusable() > 0) {
            LOG.warn("{} of {} documents cannot be used; their reasons are in {}", count.unusable(), count.documents(), quarantine);
        }

        JavaRDD<TokenizedDocument> training = documents.filter(d -> !d.heldOut());
        JavaPairRDD<String, int[]> pending = training.flatMap(d -> d.sequences().iterator())
                .mapToPair(tokens -> new Tuple2<>(labels.key(tokens), tokens))
                .reduceByKey((one, same) -> one)
                .subtractByKey(store.keys().mapToPair(key -> new Tuple2<>(key, true)))
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        long pendingPositions = pending.values().map(tokens -> tokens.length - 1L).fold(0L, Long::sum);
        LOG.info("{} documents, {} tokens to learn from; {} of them are not in the cache yet",
                count.documents(), count.positions(), pendingPositions);
        List<ShardResult> results = pendingPositions == 0 ? List.of() : score(source, longest, labels, store, pending, pendingPositions);
        pending.unpersist(false);
        UnscoredSequences unscored = unscored(labels, results);
        if (!unscored.reasons().isEmpty()) {
            store.quarantine(unusable.union(unscored.quarantined(training)));
            long sequences = count.sequences();
            count = CorpusCount.of(documents, unscored);
            if (count.unscored() > limit * sequences) {
                throw JobErrors.tooManyUnscored(count.unscored(), sequences, limit, quarantine);
            }
            if (count.sequences() == 0) {
                throw JobErrors.nothingToTrainOn(corpus.path());
            }
            LOG.warn("the teacher could not score {} of {} sequences; their reasons are in {}", count.unscored(), sequences, quarantine);
        }

        ObjectNode agreed = HadoopFolder.JSON.createObjectNode();
        agreed.put("sequence-length", tokenization.sequenceLength()).put("corpus.holdout", tokenization.holdout())
                .put("seed", tokenization.seed()).put("corpus.path", corpus.path())
                .put("documents", count.documents()).put("held_out", count.heldOut())
                .put("sequences", count.sequences()).put("positions", count.positions());
        store.publishSnapshot(unscored.others(training), agreed);
        return summary(count, results, (System.nanoTime() - begin) / 1e9, store);
    }

    private List<ShardResult> score(TeacherSource source, int longest, Labels labels, LabelStore store,
            JavaPairRDD<String, int[]> pending, long pendingPositions) {
        PassCounters counters = PassCounters.of(sc.sc());
        ShardScoring task = new ShardScoring(source, labels, store.labelsPath(), longest,
                settings.integer("batch-tokens", 1, 1 << 24), Cluster.coresPerExecutor(sc),
                sc.broadcast(new SerializableConfiguration(sc.hadoopConfiguration())), counters);
        int shardTokens = settings.integer("cache.shard-tokens", 1, Integer.MAX_VALUE);
        int shards = (int) Math.min(100_000, Math.max(1, (pendingPositions + shardTokens - 1) / shardTokens));
        try (Progress progress = new Progress("label", pendingPositions, counters.tokens()::sum)) {
            // Longest first, so that the last tasks are short and a shard's sequences are of like length.
            return pending.mapToPair(s -> new Tuple2<>(String.format("%08x%s", Integer.MAX_VALUE - s._2().length, s._1()), s))
                    .sortByKey(true, shards).values()
                    .mapPartitions(shard -> List.of(task.score(shard)).iterator()).collect();
        }
    }

    private static UnscoredSequences unscored(Labels labels, List<ShardResult> results) {
        Map<String, String> reasons = new TreeMap<>();
        results.forEach(shard -> reasons.putAll(shard.unscored()));
        return new UnscoredSequences(labels, reasons);
    }

    private static LabelSummary summary(CorpusCount count, List<ShardResult> results, double seconds, LabelStore store) {
        long scored = results.stream().mapToLong(ShardResult::positions).sum();
        return new LabelSummary(count, scored, results.stream().mapToLong(ShardResult::bytes).sum(),
                (int) results.stream().filter(shard -> shard.bytes() > 0).count(), seconds,
                scored == 0 ? Double.NaN : results.stream().mapToDouble(ShardResult::lossSum).sum() / scored,
                scored == 0 ? Double.NaN : results.stream().mapToDouble(ShardResult::entropySum).sum() / scored,
                ExecutorShare.of(results), store.folder().path().toString());
    }
}
