// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.Utils;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.CorpusLabels;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.corpus.Responses;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.hardware.Arithmetic;
import org.potstill.spark.hardware.HardwareSettings;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.storage.TemporaryFolder;
import org.potstill.spark.teacher.EachTeacher;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.spark.train.data.EpochFolder;
import org.potstill.spark.train.data.TrainingData;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.LayerChoice;
import org.potstill.student.Student;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The second pass: trains the student on cached soft labels by parameter averaging, without loading the teacher. */
public final class TrainJob {
    private static final Logger LOG = LoggerFactory.getLogger(TrainJob.class);
    private static final String CACHED_TIMEOUT = "spark.dynamicAllocation.cachedExecutorIdleTimeout";

    private final JavaSparkContext sc;
    private final SparkSession spark;
    private final Settings settings;
    private final String cache;
    private final HadoopFolder folder;
    private final Consumer<TrainedRound> listener;

    public TrainJob(SparkSession spark, Settings settings) {
        this(spark, settings, round -> { });
    }

    /** @param listener is told of every round, in the thread that trains: it must not block */
    public TrainJob(SparkSession spark, Settings settings, Consumer<TrainedRound> listener) {
        this.listener = listener;
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = TrainingSettings.resolved(settings);
        this.cache = settings.required("cache.path");
        this.folder = new HadoopFolder("student", settings.required("student.path"), sc.hadoopConfiguration());
    }

    /** Whether the student is already trained. */
    public boolean isDone() {
        return new StudentFolder(folder).isFinished();
    }

    /**
     * Rejects a student's folder that contains another model.
     *
     * @throws org.potstill.errors.UserException if training would overwrite files that it did not write
     */
    public void requireFolder() {
        new StudentFolder(folder).requireOurs();
    }

    /**
     * Checks that memory suffices before there are labels, when the number of positions is still unknown.
     *
     * @param vocabSize size of the teacher's vocabulary
     * @throws org.potstill.errors.UserException if memory does not suffice
     */
    public void requireMemory(int vocabSize) {
        try (StudentInit init = new StudentInit(settings, sc.hadoopConfiguration())) {
            requireMemory(init.shape(vocabSize), 0, 0);
        }
    }

    /**
     * Checks that memory suffices for a student initialised from a model.
     *
     * @param init shape of that model
     * @throws org.potstill.errors.UserException if memory does not suffice
     */
    public void requireMemory(CausalLmConfig init) {
        requireMemory(StudentShape.of(settings, init, settings.string("student.init"), settings.choice("student.init-layers", LayerChoice.class)),
                0, 0);
    }

    private void requireMemory(CausalLmConfig config, long positions, long labels) {
        TrainingMemory memory = TrainingMemory.of(sc, settings, config, workers(), positions);
        if (!isDone()) {
            memory.require(sc, labels);
        }
    }

    /**
     * Trains the student, or returns the summary of an earlier run if it is already trained.
     *
     * @return what the report shows of the run
     */
    public TrainSummary run() {
        if (sc.getConf().getBoolean("spark.ssl.rpc.enabled", false)) {
            throw JobErrors.tlsNotSupported();
        }
        if (TrainingSettings.averaging(settings) == Averaging.PARAMETERS && sc.getConf().getBoolean("spark.speculation", false)) {
            throw JobErrors.badValue("train.average", "with parameters, workers keep their moments, and no second copy of a task has them: "
                    + "spark.speculation must be false");
        }
        if (sc.getConf().getBoolean("spark.dynamicAllocation.enabled", false) && sc.getConf().contains(CACHED_TIMEOUT)) {
            LOG.warn("executors hold the student's state, and {} may remove them between rounds, whose steps are then repeated: unset it",
                    CACHED_TIMEOUT);
        }
        requireFolder();
        CorpusLabels labels = CorpusLabels.find(spark, cache, settings.targetSpec(), teachers());
        ObjectNode snapshot = labels.snapshot();
        for (String key : List.of("sequence-length", "corpus.holdout", "seed")) {
            if (snapshot.path(key).asDouble() != Double.parseDouble(settings.string(key))) {
                throw JobErrors.settingsDiffer("the cache " + cache, key, settings.string(key), snapshot.path(key).asText());
            }
        }
        try (StudentInit init = new StudentInit(settings, sc.hadoopConfiguration())) {
            int rows = labels.vocabSize();
            init.requireVocabulary(labels.tokenizer(), rows, cache);
            CausalLmConfig config = init.shape(rows);
            if (config.vocabSize() != rows) {
                LOG.info("the teacher's embedding table has {} rows and the student's {}: both are padded, and the teacher's probabilities of ids that "
                        + "the student does not have, none of which is a token, are left out", rows, config.vocabSize());
            }
            folder.requireWritable();
            requireMemory(config, snapshot.path("positions").asLong(Long.MAX_VALUE), labels.bytes());
            Responses responses = Responses.of(settings, labels.tokenizer());
            try (TrainingData data = new TrainingData(labels, responses, settings.trainingSeed()); TemporaryFolder copies = copies()) {
                return train(labels, snapshot, data, config, init, copies.path());
            }
        }
    }

    /** Creates a folder for copies of the state in Spark's local directory, which is removed even if a signal ends the driver. */
    private TemporaryFolder copies() {
        return new TemporaryFolder(Path.of(Utils.getLocalDir(sc.getConf())));
    }

    private int workers() {
        int asked = TrainingSettings.workers(settings);
        return asked > 0 ? asked : checkpoints(HadoopFolder.JSON.createObjectNode()).workers().orElse(Cluster.taskSlots(sc));
    }

    private TrainingCheckpoints checkpoints(ObjectNode identity) {
        return new TrainingCheckpoints(folder, identity, TrainingSettings.keepCheckpoints(settings));
    }

    /** Validates the training settings. */
    public static void check(Settings settings) {
        TrainingSettings.check(settings);
        TrainingSettings.outer(settings);
        TrainingSettings.maxLoss(settings, 1);
        TrainingSettings.plan(settings, 1, TrainingSettings.workers(settings));
        TrainingSettings.keepCheckpoints(settings);
        TrainingSettings.checkpointRounds(settings);
        TrainingSettings.payload(settings);
        TrainingSettings.grace(settings);
        settings.trainingSeed();
        if (settings.string("student.init").isBlank() && settings.string("prune.path").isBlank()) {
            StudentShape.of(settings, 1 << 10);
        }
    }

    /** Returns the fingerprints of the teachers, to detect another teacher's cache, without loading them; empty if none is set. */
    private List<String> teachers() {
        boolean none = settings.teachers().isEmpty() && settings.string("teacher.path").isBlank();
        return none ? List.of() : EachTeacher.all(settings, this::fingerprint);
    }

    private String fingerprint(Settings ofTeacher) {
        TeacherSource source = TeacherSource.of(ofTeacher);
        try (CausalLm teacher = source.model(sc.hadoopConfiguration())) {
            return source.fingerprint(teacher);
        }
    }

    /**
     * Trains the student.
     *
     * @param copies local folder for copies of the state
     */
    private TrainSummary train(CorpusLabels labels, ObjectNode snapshot, TrainingData data, CausalLmConfig config, StudentInit init, Path copies) {
        int workers = workers();
        TrainingPlan plan = TrainingSettings.plan(settings, data.size(), workers);
        TrainingOptions options = TrainingSettings.options(settings, plan.totalSteps());
        TrainingEngine engine = TrainingSettings.engine(settings);
        TrainingOptions ofStudent = engine.ofStudent(options);
        ObjectNode identity = TrainingSettings.identity(init.shaped(), plan, init.fingerprint(), HadoopFolder.JSON.createObjectNode()
                .put("teacher", labels.joined(Labels::teacher)).put("tokenizer", labels.joined(Labels::tokenizer))
                .put("spec", settings.targetSpec().name()).put("snapshot", snapshot.path("id").asText()));
        StudentFolder result = new StudentFolder(folder);
        if (result.isFinished()) {
            LOG.info("the student in {} is already trained", folder.path());
            return result.summary(identity);
        }
        TrainingCheckpoints checkpoints = checkpoints(identity);
        OuterOptimizer outer = TrainingSettings.outer(settings);
        TrainingCheckpoints.Position begin = checkpoints.resume(ofStudent, copies).orElseGet(() -> first(config, ofStudent, init, outer, copies));
        LOG.info("training {} parameters on {} tokens per epoch: {} workers, {} epochs of {} rounds, {} local steps per round{}",
                begin.state().parameters(), data.positions(), workers, plan.epochs(), plan.roundsPerEpoch(),
                plan.localSteps(), begin.history().isEmpty() ? "" : "; resuming at step " + begin.history().size());
        if (begin.history().isEmpty()) {
            checkpoints.requireRoom(begin);
        }
        HardwareSettings hardware = HardwareSettings.of(settings);
        WorkerSetup setup = new WorkerSetup(config, options, engine, labels.labels(), cache, Cluster.coresPerTask(sc),
                TrainingSettings.averaging(settings), TrainingSettings.overlap(settings), TrainingSettings.payload(settings), outer, meter(config, options, workers, hardware),
                TrainingSettings.maxLoss(settings, config.vocabSize()));
        EpochFolder epochs = epochs(data, plan, identity);
        LateRecords late = new LateRecords(folder, identity, workers);
        TrainingLoop loop = new TrainingLoop(sc, plan, setup, epochs, data.positions(), checkpoints, TrainingSettings.checkpointRounds(settings),
                TrainingSettings.grace(settings), late, listener);
        TrainingCheckpoints.Position end = loop.run(begin);
        TrainSummary summary = new TrainSummary(end.state().parameters(), workers,
                plan.roundsPerEpoch() * plan.epochs(), data.positions() * plan.epochs(), end.seconds(), data.teacherLoss(),
                end.history(), folder.path().toString(), end.simd(), loop.use().hardware(), loop.use().exchange(end.state().parameters()),
                hardware.cost(Cluster.executors(sc), end.seconds(), data.positions() * plan.epochs()));
        log(summary);
        result.publish(end.state(), labels, identity, init.shaped(), summary, late.all());
        epochs.delete();
        return summary;
    }

    private Meter meter(CausalLmConfig config, TrainingOptions options, int workers, HardwareSettings hardware) {
        int own = Cluster.coresPerTask(sc);
        int together = own * Math.min(workers, Cluster.taskSlotsPerExecutor(sc));
        return new Meter(ModelFlops.of(config), Arithmetic.of(options.precision()), together, own, hardware.studentTflops());
    }

    private static void log(TrainSummary summary) {
        if (summary.hardware() != null) {
            LOG.info("model FLOPs in averaging rounds: {}", summary.hardware().describe(HardwareSettings.STUDENT));
        }
        if (summary.exchange() != null) {
            LOG.info("exchange between executors: {}", summary.exchange().describe());
        }
        if (summary.cost() != null) {
            LOG.info("cost of the executors: {}", summary.cost().describe());
        }
    }

    private EpochFolder epochs(TrainingData data, TrainingPlan plan, ObjectNode identity) {
        String scratch = settings.string("train.scratch");
        return scratch.isBlank() ? new EpochFolder(sc, folder, StudentFolder.EPOCHS, data, plan, identity)
                : new EpochFolder(sc, new HadoopFolder("training data", scratch, sc.hadoopConfiguration()),
                        Sha256.of(folder.path().toString()).substring(0, 16), data, plan, identity);
    }

    private TrainingCheckpoints.Position first(CausalLmConfig config, TrainingOptions options, StudentInit init, OuterOptimizer outer, Path copies) {
        try (Student student = init.create(config, options, settings.trainingSeed())) {
            return new TrainingCheckpoints.Position(0, 0, StateCopy.of(student, outer, copies), List.of(), 0, Set.of());
        }
    }
}
