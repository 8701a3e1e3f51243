// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.prune;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.pruning.Cuts;
import org.potstill.checkpoints.pruning.PrunedCheckpoint;
import org.potstill.spark.Cluster;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.student.LayerChoice;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.pruning.WidthImportance;
import org.potstill.teacher.scoring.TeacherErrors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pruning of a model on the corpus, to initialise a student with a smaller model.
 *
 * <p>Layers are removed greedily: in each round the layer whose removal changes the model's distributions least, by KL over a
 * sample of the corpus. Neurons, heads and channels are ranked by the size of their activations on the sample.
 */
public final class PruneJob {
    private static final Logger LOG = LoggerFactory.getLogger(PruneJob.class);
    /** Maximum bytes of distributions and states cached by all executors together. */
    private static final long MAX_KEPT = 1L << 30;
    /** A cut beyond this share of the parameters is best made in two steps (Minitron, arXiv 2407.14679). */
    private static final double MAX_CUT = 1 / 3.0;

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final PruneSettings wanted;
    /** Name of the setting that holds the model's path. */
    private final String setting;
    private final TeacherSource source;
    private final HadoopFolder target;
    private final long begin = System.nanoTime();

    public PruneJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.wanted = PruneSettings.of(settings);
        this.setting = settings.string("prune.model").isBlank() ? "teacher.path" : "prune.model";
        String model = settings.required(setting);
        // In single precision, so that quantisation error is not attributed to layers.
        this.source = TeacherSource.of(settings.with("teacher.path", model).with("teacher.url", "").with("teacher.precision", "fp32"));
        this.target = new HadoopFolder("pruned model", wanted.path(), sc.hadoopConfiguration());
    }

    /** Returns the shape of the pruned model. */
    public static CausalLmConfig shape(Settings settings, CausalLmConfig model) {
        return PruneSettings.of(settings).shape(model);
    }

    /** Validates the pruning settings, if pruning is requested. */
    public static void check(Settings settings) {
        if (!settings.string("prune.path").isBlank()) {
            PruneSettings.of(settings);
        }
    }

    /**
     * Prunes the model.
     *
     * @return what the report shows of the run
     */
    public PruneSummary run() {
        Teachers.requireDevice(source.options(1, 0));
        PruneFolder.requireOurs(target);
        try (CausalLm model = Teachers.model(TeacherSource.localPath(setting, source.uri(), source.scratch(), sc.hadoopConfiguration()))) {
            if (!(model instanceof Checkpoint checkpoint)) {
                throw PruneErrors.notPrunable(source.uri());
            }
            TeacherSource.warnOf(checkpoint);
            wanted.requireWithin(checkpoint.config());
            String fingerprint = checkpoint.fingerprint();
            Optional<PruneSummary> done = new PruneFolder(target, wanted.identity(fingerprint, "")).finished();
            if (done.isPresent()) {
                LOG.info("{} is pruned already, in {}", source.name(), target.path());
                return done.get();
            }
            target.requireWritable();
            PruningText text = calibration(checkpoint);
            PruneFolder folder = new PruneFolder(target, wanted.identity(fingerprint, text.fingerprint()));
            return prune(checkpoint, text, folder);
        }
    }

    private PruningText calibration(Checkpoint checkpoint) {
        Tokenization tokenization = Tokenization.of(settings);
        if (tokenization.sequenceLength() > checkpoint.maxPositionEmbeddings()) {
            throw JobErrors.badValue("sequence-length", "the model was made for at most " + checkpoint.maxPositionEmbeddings() + " positions");
        }
        Corpus corpus = new Corpus(spark, settings);
        JavaRDD<TokenizedDocument> documents = tokenization.apply(corpus.documents(), checkpoint.tokenizer(),
                checkpoint.config().vocabSize())
                .filter(document -> document.problem() == null).persist(StorageLevel.MEMORY_AND_DISK_SER());
        try {
            return PruningText.draw(documents, wanted.calibrationTokens(), wanted.batchTokens(), settings.seed(), corpus.name());
        } finally {
            corpus.warnOfProblems();
            Cluster.release(documents);
        }
    }

    private PruneSummary prune(Checkpoint checkpoint, PruningText text, PruneFolder folder) {
        CausalLmConfig config = checkpoint.config();
        ExecutorLayers model = new ExecutorLayers(UUID.randomUUID().toString(), setting, source, checkpoint.fingerprint(),
                Cluster.coresPerExecutor(sc), Cluster.hadoop(sc), sc.broadcast(text.batches()),
                4L * (config.vocabSize() + (long) config.numHiddenLayers() * config.hiddenSize()) * text.positions() <= MAX_KEPT);
        try (LayerCosts costs = new LayerCosts(sc, model, text)) {
            Cuts width = wanted.cutsWidth() ? width(config, costs.importance()) : Cuts.none(config);
            int keep = wanted.layersToKeep(config, width);
            PruneFolder.Progress progress = depth(config, keep, costs, folder);
            Cuts cuts = width.withLayers(kept(config, progress.removals()));
            PrunedCheckpoint rest = new PrunedCheckpoint(checkpoint, cuts);
            double kl = wanted.cutsWidth() ? finite(costs.cost(cuts))
                    : progress.removals().isEmpty() ? 0 : progress.removals().get(progress.removals().size() - 1).kl();
            PruneSummary summary = new PruneSummary(source.name(), shape(config), shape(rest.config()),
                    Arrays.stream(cuts.layers()).boxed().toList(), progress.removals(), progress.evenlySpaced(), kl,
                    text.positions(), progress.seconds(), target.path().toString());
            warnOfDeepCut(summary);
            // Marks the folder as ours even if no layer was removed, in case publishing is interrupted.
            folder.save(progress);
            folder.publish(rest, summary, provenance(checkpoint, cuts));
            return summary;
        }
    }

    private Cuts width(CausalLmConfig config, WidthImportance importance) {
        int neurons = PruneSettings.orAll(wanted.intermediateSize(), config.intermediateSize());
        int groups = PruneSettings.orAll(wanted.kvHeads(), config.numKeyValueHeads());
        int channels = PruneSettings.orAll(wanted.hiddenSize(), config.hiddenSize());
        return new Cuts(Cuts.none(config).layers(), Cuts.largest(importance.channels(), channels),
                Arrays.stream(importance.neurons()).map(n -> Cuts.largest(n, neurons)).toArray(int[][]::new),
                Arrays.stream(importance.groups()).map(g -> Cuts.largest(g, groups)).toArray(int[][]::new));
    }

    /** Removes layers until {@code keep} are left, from where an earlier run stopped. */
    private PruneFolder.Progress depth(CausalLmConfig config, int keep, LayerCosts costs, PruneFolder folder) {
        PruneFolder.Progress before = folder.progress();
        List<Removal> removals = new ArrayList<>(before.removals());
        List<EvenlySpaced> spaced = new ArrayList<>(before.evenlySpaced());
        PruneFolder.Progress progress = before;
        costs.expect(config.numHiddenLayers(), keep, removals.size(), spaced.size());
        while (kept(config, removals).length > keep) {
            removals.add(removal(kept(config, removals), costs));
            progress = new PruneFolder.Progress(removals, spaced, before.seconds() + seconds());
            folder.save(progress);
        }
        while (spaced.size() < removals.size()) {
            int layers = config.numHiddenLayers() - spaced.size() - 1;
            spaced.add(new EvenlySpaced(layers, costs.cost(LayerChoice.EVENLY_SPACED.layers(config.numHiddenLayers(), layers))));
            progress = new PruneFolder.Progress(removals, spaced, before.seconds() + seconds());
            folder.save(progress);
        }
        return progress;
    }

    private Removal removal(int[] kept, LayerCosts costs) {
        long start = System.nanoTime();
        double[] kl = costs.without(kept);
        int best = IntStream.range(0, kl.length).reduce((a, b) -> Double.compare(kl[b], kl[a]) < 0 ? b : a).orElseThrow();
        finite(kl[best]);
        Map<Integer, Double> candidates = new TreeMap<>();
        for (int i = 0; i < kept.length; i++) {
            candidates.put(kept[i], kl[i]);
        }
        LOG.info("without layer {}: KL {} nats, {} layers left", kept[best], String.format(Locale.ROOT, "%.3f", kl[best]), kept.length - 1);
        return new Removal(kept[best], kl[best], (System.nanoTime() - start) / 1e9, candidates);
    }

    private double finite(double kl) {
        if (!Double.isFinite(kl)) {
            throw TeacherErrors.cannotCompare(source.uri());
        }
        return kl;
    }

    private static int[] kept(CausalLmConfig config, List<Removal> removals) {
        return IntStream.range(0, config.numHiddenLayers())
                .filter(layer -> removals.stream().noneMatch(removal -> removal.layer() == layer)).toArray();
    }

    private double seconds() {
        return (System.nanoTime() - begin) / 1e9;
    }

    private static PruneSummary.Shape shape(CausalLmConfig config) {
        return new PruneSummary.Shape(LlamaTensors.parameters(config), config.numHiddenLayers(), config.hiddenSize(),
                config.intermediateSize(), config.numAttentionHeads(), config.numKeyValueHeads());
    }

    private static void warnOfDeepCut(PruneSummary summary) {
        double cut = 1 - (double) summary.after().parameters() / summary.before().parameters();
        if (cut > MAX_CUT) {
            LOG.warn("{} % of the parameters are gone: a student recovers better when cut in two steps: prune less, train, and prune the student "
                    + "again (prune.model)", Math.round(100 * cut));
        }
    }

    private ObjectNode provenance(Checkpoint checkpoint, Cuts cuts) {
        ObjectNode provenance = HadoopFolder.JSON.createObjectNode();
        provenance.putObject("model").put("name", source.name()).put("fingerprint", checkpoint.fingerprint())
                .put("parameters", checkpoint.parameters());
        provenance.putObject("tokenizer").put("fingerprint", checkpoint.tokenizer().fingerprint());
        ObjectNode kept = provenance.putObject("kept");
        kept.put("layers", Arrays.toString(cuts.layers()));
        if (wanted.cutsWidth()) {
            kept.put("channels", Arrays.toString(cuts.channels()));
            for (int layer : cuts.layers()) {
                kept.put("neurons of layer " + layer, Arrays.toString(cuts.neurons()[layer]));
                kept.put("groups of layer " + layer, Arrays.toString(cuts.groups()[layer]));
            }
        }
        provenance.set("settings", settings.provenance());
        provenance.putObject("versions").put("potstill", Versions.potstill()).put("spark", sc.version())
                .put("java", System.getProperty("java.version"));
        return provenance;
    }
}
