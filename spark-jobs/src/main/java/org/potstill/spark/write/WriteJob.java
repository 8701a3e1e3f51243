// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.MemoryNeed;
import org.potstill.spark.Progress;
import org.potstill.spark.cache.PassRecord;
import org.potstill.spark.cache.Quarantined;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.teacher.TeacherDescription;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Tuple2;

/** Has the teacher answer all prompts of the corpus that have no answers yet, and publishes the conversations. */
public final class WriteJob {
    private static final Logger LOG = LoggerFactory.getLogger(WriteJob.class);
    private static final int SAMPLES = 3;

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final WriteSettings told;
    private final TeacherSource source;
    private final String path;
    private final Broadcast<SerializableConfiguration> hadoop;

    public WriteJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.told = WriteSettings.of(settings);
        this.source = TeacherSource.of(settings);
        this.path = settings.required("write.path");
        this.hadoop = Cluster.hadoop(sc);
    }

    /** Validates the settings of the job. */
    public static void check(Settings settings) {
        WriteSettings.of(settings);
        TeacherSource.of(settings);
    }

    /**
     * Runs the job.
     *
     * @return what the report shows of it
     */
    public WriteSummary run() {
        long begin = System.nanoTime();
        requireDevice();
        requireApart();
        new HadoopFolder("conversations", path, sc.hadoopConfiguration()).requireWritable();
        Corpus corpus = new Corpus(spark, settings);
        Tokenization reading = Tokenization.of(settings);
        Prompts rendering;
        AnswerStore store;
        TokenizerDefinition tokenizer;
        try (CausalLm teacher = source.model(sc.hadoopConfiguration())) {
            teacher.requirePrecision(source.precision());
            if (source.server() == null) {
                new MemoryNeed(sc.getConf(), "a teacher of " + teacher.parameters() + " parameters with its keys and values",
                        "use a smaller teacher, teacher.precision = int8, or a smaller write.cache-mib")
                        .model(teacher.parameters() * source.precision().bytes() + (source.writesOnGpu() ? 0 : told.limits(false).cacheBytes()));
            }
            tokenizer = teacher.tokenizer();
            AnswerKeys keys = new AnswerKeys(source.fingerprint(teacher), tokenizer.fingerprint() + tokenizer.stopIds(), told.name(),
                    Prompts.shared(tokenizer, told.system(), reading.today()));
            rendering = new Prompts(told.system(), reading.specialTokens(), reading.today(), keys, teacher.vocabSize(),
                    teacher.maxPositionEmbeddings());
            store = new AnswerStore(path, keys);
            describe(store, teacher);
        }
        JavaRDD<Prompt> prompts = rendering.apply(corpus.documents(), tokenizer).persist(StorageLevel.MEMORY_AND_DISK_SER());
        try {
            return write(corpus, prompts, rendering, store, tokenizer, begin);
        } finally {
            Cluster.release(prompts);
        }
    }

    /** Rejects precisions that executors do not write in, on any device or on a GPU. */
    private void requireDevice() {
        if (source.server() == null && source.precision() == Precision.BF16) {
            throw TeacherErrors.bf16OnlyScores();
        }
        if (source.server() == null && source.device() == TeacherOptions.Device.CUDA && !source.writesOnGpu()) {
            throw JobErrors.badValue("teacher.device", "on a GPU write computes in half precision: set teacher.precision to fp16, or the device to cpu");
        }
        if (source.writesOnGpu()) {
            LOG.warn("writing on GPUs is new: its graph has been tested on CPUs, and no GPU's answers have been compared yet");
        }
    }

    /** Rejects a folder of conversations that the next run would read as prompts. */
    private void requireApart() {
        if (settings.string("corpus.path").isBlank()) {
            return;
        }
        Path corpus = qualified(settings.string("corpus.path"));
        for (Path above = qualified(path); above != null; above = above.getParent()) {
            if (above.equals(corpus)) {
                throw JobErrors.badValue("write.path", "it is in corpus.path, " + corpus + ": the next run would take the answers for prompts");
            }
        }
    }

    private Path qualified(String given) {
        return new HadoopFolder("corpus", given, sc.hadoopConfiguration()).path();
    }

    private void describe(AnswerStore store, CausalLm teacher) {
        ObjectNode json = HadoopFolder.JSON.createObjectNode().put("potstill", Versions.potstill())
                .put("created", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString());
        json.set("teacher", TeacherDescription.of(teacher, source));
        json.putObject("sampling").put("temperature", told.temperature()).put("top-k", told.topK()).put("top-p", told.topP())
                .put("seed", told.seed()).put("max-new-tokens", told.maxNewTokens());
        store.answers(sc.hadoopConfiguration()).createJson("provenance.json", json);
    }

    private WriteSummary write(Corpus corpus, JavaRDD<Prompt> prompts, Prompts rendering, AnswerStore store, TokenizerDefinition tokenizer,
            long begin) {
        JavaRDD<Quarantined> unusable = prompts.filter(prompt -> prompt.problem() != null)
                .map(prompt -> new Quarantined(prompt.document(), null, null, prompt.problem()));
        long documents = prompts.count();
        if (documents == 0) {
            throw CorpusErrors.emptyCorpus(corpus.name());
        }
        long bad = unusable.count();
        String quarantine = store.quarantine(spark, unusable);
        corpus.requireUsable(documents, bad, told.maxBadShare(), () -> unusable.first().problem(), quarantine);
        corpus.requireIds();

        int answers = told.answers();
        JavaPairRDD<String, Prompt> distinct = prompts.filter(prompt -> prompt.problem() == null)
                .mapToPair(prompt -> new Tuple2<>(prompt.key(), prompt)).reduceByKey(Prompt::first).persist(StorageLevel.MEMORY_AND_DISK_SER());
        JavaPairRDD<String, PendingAnswer> wanted = distinct.values()
                .flatMap(prompt -> IntStream.range(0, answers).mapToObj(number -> new PendingAnswer(prompt, number)).iterator())
                .mapToPair(answer -> new Tuple2<>(AnswerKeys.answer(answer.prompt().key(), answer.number()), answer));
        JavaRDD<PendingAnswer> pending = wanted.subtractByKey(store.ids(spark).mapToPair(id -> new Tuple2<>(id, true))).values()
                .persist(StorageLevel.MEMORY_AND_DISK_SER());
        long missing = pending.count();
        long distinctPrompts = distinct.count();
        LOG.info("{} documents, {} prompts; {} of {} answers are not written yet", documents, distinctPrompts, missing,
                distinctPrompts * answers);
        long writing = System.nanoTime();
        ShardResult result = missing == 0 ? ShardResult.NONE : write(pending, missing, rendering, store, tokenizer);
        double seconds = (System.nanoTime() - writing) / 1e9;
        Cluster.release(pending);
        if (!result.unwritten().isEmpty()) {
            Map<String, String> reasons = result.unwritten();
            quarantine = store.quarantine(spark, unusable.union(distinct.values().filter(prompt -> reasons.containsKey(prompt.key()))
                    .map(prompt -> new Quarantined(prompt.document(), null, prompt.key(), reasons.get(prompt.key())))));
            String example = reasons.values().iterator().next();
            if (reasons.size() > told.maxBadShare() * distinctPrompts) {
                throw JobErrors.tooManyUnanswered(reasons.size(), distinctPrompts, told.maxBadShare(), example, quarantine);
            }
            LOG.warn("the teacher could not answer {} of {} prompts, such as: {}; the reasons of all are in {}", reasons.size(),
                    distinctPrompts, example, quarantine);
        }

        // The document of an answer is that of the corpus as it is now.
        JavaRDD<WrittenAnswer> held = store.all(spark).mapToPair(row -> new Tuple2<>(row.id(), row)).reduceByKey((one, same) -> one)
                .join(wanted).values().map(both -> both._1().of(both._2().prompt().document())).persist(StorageLevel.MEMORY_AND_DISK_SER());
        WriteSettings kept = told;
        JavaRDD<WrittenAnswer> conversations = held.filter(row -> kept.keeps(row.finish()));
        Map<String, Long> finishes = held.map(WrittenAnswer::finish).countByValue();
        long count = finishes.entrySet().stream().filter(finish -> kept.keeps(finish.getKey())).mapToLong(Map.Entry::getValue).sum();
        store.publish(conversations, count, told.shardAnswers(), hadoop);
        WriteSummary summary = new WriteSummary(documents, bad, distinctPrompts, result.answers(), result.newTokens(),
                result.unwritten().size(), finishes.getOrDefault(WrittenAnswer.STOP, 0L), finishes.getOrDefault(WrittenAnswer.LENGTH, 0L),
                finishes.getOrDefault(WrittenAnswer.EMPTY, 0L), count, held.map(row -> (long) row.tokens().length).fold(0L, Long::sum),
                result.bytes(), result.files(), (System.nanoTime() - begin) / 1e9, seconds, source.name(),
                store.root(sc.hadoopConfiguration()).path().toString(),
                held.takeOrdered(SAMPLES, new WrittenAnswer.ById()).stream().map(WrittenAnswer::sample).toList());
        Cluster.release(held);
        Cluster.release(distinct);
        record(store, summary);
        return summary;
    }

    private ShardResult write(JavaRDD<PendingAnswer> pending, long missing, Prompts rendering, AnswerStore store, TokenizerDefinition tokenizer) {
        LongAccumulator tokens = sc.sc().longAccumulator("tokens written");
        LongAccumulator answers = sc.sc().longAccumulator("answers written");
        ShardWriting task = new ShardWriting(source, told, rendering, store, Cluster.coresPerExecutor(sc), hadoop, sc.broadcast(tokenizer), tokens,
                answers);
        int shards = Cluster.shards(missing, told.shardAnswers());
        try (Progress progress = Progress.ofAnswers("write", missing, sc.sc(), answers, tokens)) {
            return pending.mapToPair(answer -> new Tuple2<>(answer.order(), answer)).sortByKey(true, shards).values()
                    .mapPartitions(shard -> List.of(task.write(shard)).iterator()).collect().stream().reduce(ShardResult.NONE, ShardResult::plus);
        }
    }

    /** Records a run that wrote anything. */
    private void record(AnswerStore store, WriteSummary summary) {
        if (summary.written() > 0) {
            PassRecord.write(store.answers(sc.hadoopConfiguration()), summary, settings, sc.version());
        }
    }
}
