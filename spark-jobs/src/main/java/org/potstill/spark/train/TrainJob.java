package org.potstill.spark.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Progress;
import org.potstill.spark.Settings;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.label.TeacherSource;
import org.potstill.student.StepLoss;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;
import org.potstill.teacher.Teachers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The second pass: trains the student on what the cache holds, with parameter averaging, no teacher in memory. */
public final class TrainJob {
    private static final Logger LOG = LoggerFactory.getLogger(TrainJob.class);

    private final JavaSparkContext sc;
    private final SparkSession spark;
    private final Settings settings;
    private final String cache;
    private final HadoopFolder folder;

    public TrainJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.cache = settings.required("cache.path");
        this.folder = new HadoopFolder("student", settings.required("student.path"), sc.hadoopConfiguration());
    }

    /** @return what the report shows of the run */
    public TrainSummary run() {
        LabelStore store = LabelStore.find(spark, cache, settings.targetSpec(), teacherFingerprint());
        ObjectNode snapshot = (ObjectNode) store.currentSnapshot();
        for (String key : List.of("sequence-length", "corpus.holdout", "seed")) {
            if (snapshot.path(key).asDouble() != Double.parseDouble(settings.string(key))) {
                throw JobErrors.settingsDiffer("the cache " + cache, key, settings.string(key), snapshot.path(key).asText());
            }
        }
        try (StudentInit init = new StudentInit(settings, sc.hadoopConfiguration())) {
            init.requireVocabulary(store.tokenizer(), cache);
            CausalLmConfig config = TrainingSettings.student(init.shaped(), store.labels().vocabSize());
            folder.requireWritable();
            Responses responses = Responses.of(settings, store.tokenizer());
            try (TrainingData data = new TrainingData(store, responses, settings.seed());
                    // Made for its checks: a shape that cannot be is refused before the cluster works.
                    Student student = Student.create(config, TrainingSettings.options(settings, 1), settings.seed())) {
                init.apply(student);
                return train(store, snapshot, data, responses, config, init, student);
            }
        }
    }

    /** Of teacher.path where it is set, so that a cache of another teacher is noticed; the model is not loaded. */
    private String teacherFingerprint() {
        if (settings.string("teacher.path").isBlank()) {
            return null;
        }
        TeacherSource source = TeacherSource.of(settings);
        try (CausalLm teacher = Teachers.model(source.localPath(sc.hadoopConfiguration()))) {
            return source.fingerprint(teacher);
        }
    }

    private TrainSummary train(LabelStore store, ObjectNode snapshot, TrainingData data, Responses responses, CausalLmConfig config,
            StudentInit init, Student student) {
        int keep = settings.integer("train.keep-checkpoints", 1, 1000);
        int asked = settings.integer("train.workers", 0, 100_000);
        int workers = asked > 0 ? asked
                : new TrainingCheckpoints(folder, HadoopFolder.JSON.createObjectNode(), keep).workers().orElse(Cluster.taskSlots(sc));
        TrainingPlan plan = new TrainingPlan(data.size(), settings.integer("train.batch-size", 1, 1 << 20), workers,
                settings.integer("train.local-steps", 1, 1 << 20), settings.integer("train.epochs", 1, 1 << 20));
        TrainingOptions options = TrainingSettings.options(settings, plan.totalSteps());
        ObjectNode identity = TrainingSettings.identity(init.shaped(), plan, init.fingerprint(), HadoopFolder.JSON.createObjectNode()
                .put("teacher", store.labels().teacher()).put("tokenizer", store.labels().tokenizer())
                .put("spec", store.labels().spec().name()).put("snapshot", snapshot.path("id").asText()));
        StudentFolder result = new StudentFolder(folder);
        if (result.isFinished()) {
            LOG.info("the student in {} is trained already", folder.path());
            return result.summary(identity);
        }
        TrainingCheckpoints checkpoints = new TrainingCheckpoints(folder, identity, keep);
        OuterOptimizer outer = TrainingSettings.outer(settings);
        TrainingCheckpoints.Position begin = checkpoints.resume(options).orElseGet(() -> new TrainingCheckpoints.Position(0, 0,
                new ModelState(student.parameters(), initialMoments(config, options), outer.initialMomentum(student.parameterCount())), List.of(), 0));
        LOG.info("training {} parameters on {} tokens an epoch: {} workers, {} epochs of {} rounds, {} local steps a round{}",
                begin.state().parameters().length, data.positions(), workers, plan.epochs(), plan.roundsPerEpoch(),
                plan.localSteps(), begin.history().isEmpty() ? "" : "; going on at step " + begin.history().size());
        WorkerSetup setup = new WorkerSetup(config, options, store.labels(), responses, cache, Cluster.coresPerTask(sc),
                settings.choice("train.payload", Payload.class), outer, TrainingSettings.maxLoss(settings, config.vocabSize()));
        TrainingCheckpoints.Position end = runRounds(plan, setup, data, checkpoints, begin, student);
        TrainSummary summary = new TrainSummary(end.state().parameters().length, workers,
                plan.roundsPerEpoch() * plan.epochs(), data.positions() * plan.epochs(), end.seconds(), data.teacherLoss(),
                end.history(), folder.path().toString());
        student.setParameters(end.state().parameters());
        result.publish(student, store, identity, init.shaped(), summary);
        return summary;
    }

    private static float[] initialMoments(CausalLmConfig config, TrainingOptions options) {
        try (Student fresh = Student.create(config, options, 0)) {
            return fresh.updaterState();
        }
    }

    private TrainingCheckpoints.Position runRounds(TrainingPlan plan, WorkerSetup setup, TrainingData data,
            TrainingCheckpoints checkpoints, TrainingCheckpoints.Position begin, Student student) {
        int every = settings.integer("train.checkpoint-rounds", 0, 1 << 20);
        AveragingRound averaging = new AveragingRound(sc, setup, plan);
        ModelState whole = begin.state();
        DistributedState state = DistributedState.of(sc, whole, plan.workers());
        List<StepLoss> history = new ArrayList<>(begin.history());
        long[] learnt = {history.stream().mapToLong(StepLoss::positions).sum()};
        long started = System.nanoTime();
        double seconds = begin.seconds();
        try (Progress progress = new Progress("train", data.positions() * plan.epochs(), () -> learnt[0])) {
            for (int epoch = begin.epoch(); epoch < plan.epochs(); epoch++) {
                JavaPairRDD<Long, LabelledSequence> blocks = data.ordered(epoch).partitionBy(plan.partitioner());
                int rounds = plan.roundsPerEpoch();
                for (int round = epoch == begin.epoch() ? begin.round() : 0; round < rounds; round++) {
                    AveragingRound.Outcome outcome = run(averaging, state, blocks, epoch, round, checkpoints);
                    state = outcome.state();
                    history.addAll(outcome.losses());
                    learnt[0] += outcome.losses().stream().mapToLong(StepLoss::positions).sum();
                    seconds = begin.seconds() + (System.nanoTime() - started) / 1e9;
                    StepLoss loss = Losses.mean(outcome.losses());
                    LOG.info(String.format("epoch %d round %d/%d: loss %.4f, KL %.4f, cross-entropy %.4f", epoch + 1, round + 1,
                            rounds, loss.total(), loss.kl(), loss.crossEntropy()));
                    boolean last = round == rounds - 1;
                    if (last || every > 0 && (round + 1) % every == 0) {
                        whole = state.collect();
                        checkpoints.save(history.size(), new TrainingCheckpoints.Position(last ? epoch + 1 : epoch,
                                last ? 0 : round + 1, whole, history, seconds), student);
                    }
                }
            }
        }
        state.destroy();
        return new TrainingCheckpoints.Position(plan.epochs(), 0, whole, history, seconds);
    }

    private static AveragingRound.Outcome run(AveragingRound averaging, DistributedState state,
            JavaPairRDD<Long, LabelledSequence> blocks, int epoch, int round, TrainingCheckpoints checkpoints) {
        try {
            return averaging.run(state, blocks, epoch, round);
        } catch (Exception e) {
            // SparkException is checked, and thrown where no signature says so.
            Optional<UserException> error = JobErrors.within(e);
            if (error.isPresent()) {
                throw JobErrors.trainingFailed(epoch + 1, round + 1, checkpoints.describeNewest(), error.get());
            }
            throw new IllegalStateException("averaging round " + (round + 1) + " of epoch " + (epoch + 1)
                    + " failed; the last good checkpoint is " + checkpoints.describeNewest(), e);
        }
    }
}
