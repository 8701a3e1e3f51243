// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.MemoryNeed;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.cache.PassRecord;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Document;
import org.potstill.spark.corpus.Responses;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.metrics.Comparison;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.teacher.ExecutorTeacher;
import org.potstill.spark.teacher.PassCounters;
import org.potstill.spark.teacher.TeacherDescription;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.Teachers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/** The first pass: scores all sequences of the corpus that are not yet in the cache and stores the teacher's soft targets. */
public final class LabelJob {
    private static final Logger LOG = LoggerFactory.getLogger(LabelJob.class);

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final int cores;
    private final Broadcast<SerializableConfiguration> hadoop;

    public LabelJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.cores = Cluster.coresPerExecutor(sc);
        this.hadoop = Cluster.hadoop(sc);
    }

    /**
     * Runs the pass.
     *
     * @return what the report shows of it
     */
    public LabelSummary run() {
        Corpus corpus = new Corpus(spark, settings);
        Tokenization tokenization = Tokenization.of(settings);
        TeacherSource source = TeacherSource.of(settings);
        if (source.server() == null) {
            Teachers.requireDevice(source.options(1, 0));
        }
        String cache = settings.required("cache.path");
        LabelSettings told = LabelSettings.of(settings);
        new HadoopFolder("cache", cache, sc.hadoopConfiguration()).requireWritable();
        JavaRDD<Document> read = corpus.documents();

        Labels labels;
        LabelStore store;
        TokenizerDefinition tokenizer;
        int longest;
        int rows;
        try (CausalLm teacher = source.model(sc.hadoopConfiguration())) {
            TeacherSource.warnOf(teacher);
            Teachers.require(teacher, source.options(1, 0));
            new MemoryNeed(sc.getConf(), "a teacher of " + teacher.parameters() + " parameters", "use a smaller teacher, or teacher.precision = int8")
                    .model(teacher.parameters() * source.precision().bytes());
            longest = teacher.maxPositionEmbeddings();
            rows = teacher.vocabSize();
            if (tokenization.sequenceLength() > longest) {
                throw JobErrors.badValue("sequence-length", "the teacher was made for at most " + longest + " positions");
            }
            tokenizer = teacher.tokenizer();
            labels = new Labels(source.fingerprint(teacher), tokenizer.fingerprint(), teacher.vocabSize(), told.spec());
            store = new LabelStore(spark, cache, labels);
            store.describe(TeacherDescription.of(teacher, source), tokenizer);
        }
        if (store.isEmpty()) {
            prefetch(source, labels.teacher());
        }

        JavaRDD<TokenizedDocument> documents = tokenization.apply(read, tokenizer, rows)
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        try {
            return label(corpus, tokenization, source, told, longest, labels, store, documents);
        } finally {
            Cluster.release(documents);
        }
    }

    /** Validates the settings of the pass. */
    public static void check(Settings settings) {
        LabelSettings.of(settings);
        TeacherSource.of(settings);
    }

    /** Makes executors load the teacher while the corpus is read and tokenized; used if the cache is still empty. */
    private void prefetch(TeacherSource source, String fingerprint) {
        int ofExecutor = cores;
        Broadcast<SerializableConfiguration> shared = hadoop;
        int slots = Cluster.taskSlots(sc);
        sc.parallelize(Collections.nCopies(slots, fingerprint), slots)
                .foreach(print -> ExecutorTeacher.prefetch(source, print, ofExecutor, shared.value().value()));
    }

    private LabelSummary label(Corpus corpus, Tokenization tokenization, TeacherSource source, LabelSettings told,
            int longest, Labels labels, LabelStore store, JavaRDD<TokenizedDocument> documents) {
        long begin = System.nanoTime();
        CorpusCount count;
        try (Progress progress = corpus.progress()) {
            count = CorpusCount.of(documents, new UnscoredSequences(labels, Map.of()));
        }
        if (count.documents() == 0) {
            throw CorpusErrors.emptyCorpus(corpus.name());
        }
        JavaRDD<Quarantined> unusable = documents.filter(d -> d.problem() != null)
                .map(d -> new Quarantined(d.id(), null, null, d.problem()));
        String quarantine = store.quarantine(unusable);
        double limit = told.maxBadShare();
        corpus.requireUsable(count.documents(), count.unusable(), limit, () -> corpus.problems().value(), quarantine);
        if (count.sequences() == 0) {
            throw CorpusErrors.nothingToTrainOn(corpus.name());
        }
        corpus.requireIds();
        if (corpus.namesIds()) {
            SharedIds.of(documents).ifPresent(shared -> LOG.warn("{}", shared));
        }
        if (count.unusable() > 0) {
            LOG.warn("{} of {} documents cannot be used: {}; the reasons of all are in {}", count.unusable(), count.documents(),
                    corpus.problems().value(), quarantine);
        }

        JavaRDD<TokenizedDocument> training = documents.filter(d -> !d.heldOut());
        Responses.of(settings, store.tokenizer()).requireIn(training, store.tokenizer());
        JavaRDD<PendingSequence> pending = training
                .flatMap(d -> d.sequences().stream().map(tokens -> new PendingSequence(d.id(), labels.key(tokens), tokens)).iterator())
                .mapToPair(s -> new Tuple2<>(s.key(), s))
                .reduceByKey(PendingSequence::first)
                .subtractByKey(store.keys().mapToPair(key -> new Tuple2<>(key, true))).values()
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        long pendingPositions = pending.map(s -> (long) s.positions()).fold(0L, Long::sum);
        LOG.info("{} documents, {} tokens to learn from; {} of them are not in the cache yet",
                count.documents(), count.positions(), pendingPositions);
        if (pendingPositions > 0) {
            store.requirePrior(() -> tokenCounts(training, labels.vocabSize()));
        }
        Pass pass = new Pass(source, told, store.labels());
        List<ShardResult> results = pendingPositions == 0 ? List.of() : pass.score(longest, store, pending, pendingPositions);
        Cluster.release(pending);
        UnscoredSequences unscored = unscored(labels, results);
        if (!unscored.reasons().isEmpty()) {
            quarantine = store.quarantine(unusable.union(unscored.quarantined(training)));
            long sequences = count.sequences();
            count = CorpusCount.of(documents, unscored);
            String reasons = unscored.commonReasons(training);
            if (count.unscored() > limit * sequences || count.sequences() == 0) {
                throw JobErrors.tooManyUnscored(count.unscored(), sequences, limit, reasons, quarantine);
            }
            LOG.warn("the teacher could not score {} of {} sequences: {}; the reasons of all are in {}", count.unscored(), sequences,
                    reasons, quarantine);
        }

        ObjectNode agreed = HadoopFolder.JSON.createObjectNode();
        agreed.put("sequence-length", tokenization.sequenceLength()).put("corpus.holdout", tokenization.holdout())
                .put("seed", tokenization.seed())
                .put("documents", count.documents()).put("held_out", count.heldOut())
                .put("sequences", count.sequences()).put("positions", count.positions());
        agreed.setAll(corpus.provenance());
        LOG.info("recording which {} sequences the corpus consists of", count.sequences());
        store.publishSnapshot(unscored.others(training), agreed);
        LabelSummary summary = summary(corpus, count, results, source, pass.precisionCost, (System.nanoTime() - begin) / 1e9, store);
        if (summary.scoredTokens() > 0) {
            PassRecord.write(store.folder(), summary, settings, sc.version());
        }
        return summary;
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

    /** Scoring of the pending sequences by the teacher. */
    private final class Pass {
        private final TeacherSource source;
        private final LabelSettings told;
        private final Labels labels;
        private final PassCounters counters = PassCounters.of(sc.sc());
        private PrecisionCost precisionCost;

        Pass(TeacherSource source, LabelSettings told, Labels labels) {
            this.source = source;
            this.told = told;
            this.labels = labels;
        }

        List<ShardResult> score(int longest, LabelStore store, JavaRDD<PendingSequence> pending, long pendingPositions) {
            List<ShardResult> results = new ArrayList<>();
            if (source.precision() != Precision.FP32) {
                results.add(checkPrecision(pending.map(PendingSequence::tokens)));
            }
            ShardScoring task = new ShardScoring(source, labels, store.shardWriter(), longest, told.batchTokens(), cores, hadoop,
                    counters);
            int shards = Cluster.shards(pendingPositions, told.shardTokens());
            try (Progress progress = Progress.of("label", pendingPositions, sc.sc(), counters.tokens())) {
                // Longest first, so that the last tasks are short and a shard's sequences have similar lengths.
                results.addAll(pending
                        .mapToPair(s -> new Tuple2<>(String.format(Locale.ROOT, "%08x%s", Integer.MAX_VALUE - s.tokens().length, s.key()), s))
                        .sortByKey(true, shards).values()
                        .mapPartitions(shard -> List.of(task.score(shard)).iterator()).collect());
            }
            return results;
        }

        private ShardResult checkPrecision(JavaRDD<int[]> pending) {
            List<int[]> sample = new ArrayList<>();
            Iterator<int[]> all = pending.toLocalIterator();
            for (int positions = 0; positions < PrecisionCheck.POSITIONS && all.hasNext();) {
                sample.add(all.next());
                positions += sample.get(sample.size() - 1).length - 1;
            }
            PrecisionCheck check = new PrecisionCheck(source, labels.teacher(), cores, hadoop, counters);
            PrecisionCheck.Result result = sc.parallelize(List.of(sample), 1).map(check::run).first();
            Comparison sums = result.sums();
            String name = source.precision().name().toLowerCase(Locale.ROOT);
            precisionCost = new PrecisionCost(name, sums.kl() / sums.positions(), (double) sums.agreed() / sums.positions(), sums.positions());
            LOG.info("in {} the teacher's distributions are {} nats (KL) from those in fp32, over {} positions", name,
                    String.format(Locale.ROOT, "%.4f", precisionCost.kl()), precisionCost.positions());
            if (!(precisionCost.kl() <= told.maxPrecisionKl())) {
                throw JobErrors.precisionTooLow(name, precisionCost.kl(), told.maxPrecisionKl());
            }
            return result.work();
        }
    }

    private static UnscoredSequences unscored(Labels labels, List<ShardResult> results) {
        Map<String, String> reasons = new TreeMap<>();
        results.forEach(shard -> reasons.putAll(shard.unscored()));
        return new UnscoredSequences(labels, reasons);
    }

    private static LabelSummary summary(Corpus corpus, CorpusCount count, List<ShardResult> results,
            TeacherSource source, PrecisionCost precision, double seconds, LabelStore store) {
        long scored = results.stream().mapToLong(ShardResult::positions).sum();
        return new LabelSummary(corpus.provenance(), count, scored, results.stream().mapToLong(ShardResult::bytes).sum(),
                (int) results.stream().filter(shard -> shard.bytes() > 0).count(), seconds,
                results.stream().mapToDouble(ShardResult::storing).sum(), scored == 0 ? Double.NaN : results.stream().mapToDouble(ShardResult::lossSum).sum() / scored,
                scored == 0 ? Double.NaN : results.stream().mapToDouble(ShardResult::entropySum).sum() / scored,
                source.name(), precision, ExecutorShare.of(results), store.folder().path().toString());
    }
}
