package org.potstill.spark.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.LongAccumulator;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Tokenizer;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.Comparison;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Progress;
import org.potstill.spark.Settings;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.label.TeacherSource;
import org.potstill.spark.train.StudentFolder;
import org.potstill.teacher.TeacherOptions;
import org.potstill.teacher.Teachers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares the student with its teacher: quality on the held-out documents, on further texts and on tasks, beside unigrams and
 * bigrams of the training documents; speed and memory in the engine that serves both; and texts of both.
 */
public final class EvaluateJob {
    private static final Logger LOG = LoggerFactory.getLogger(EvaluateJob.class);
    private static final int PROMPT_TOKENS = 32;
    private static final int BATCH = 1 << 24;

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final EvaluateSettings wanted;
    private final List<String> notes = new ArrayList<>();
    private final double[] seconds = new double[3];

    public EvaluateJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.wanted = EvaluateSettings.of(settings);
    }

    /** Both models, and what they share. */
    private record Pair(EvaluatedModel teacher, EvaluatedModel student, TokenizerDefinition tokenizer, int vocabSize, int maxPositions,
            int threads) {
    }

    /** @return what the report shows of the run */
    public EvaluateSummary run() {
        long begin = System.nanoTime();
        HadoopFolder folder = new HadoopFolder("student", settings.required("student.path"), sc.hadoopConfiguration());
        JsonNode provenance = new StudentFolder(folder).provenance();
        Tokenization tokenization = Tokenization.of(settings);
        requireSame(provenance, "corpus.holdout", tokenization.holdout());
        requireSame(provenance, "seed", tokenization.seed());
        TeacherSource source = TeacherSource.of(settings);
        List<ChoiceTask> tasks = new ArrayList<>();
        wanted.tasks().forEach((name, path) -> tasks.add(ChoiceTask.read(name, path, wanted.maxQuestions(), sc.hadoopConfiguration())));
        EvaluatedModel there = model("teacher.path", source.uri(), source, source.engine());
        EvaluatedModel made = model("student.path", folder.path().toString(), source, TeacherOptions.Engine.ONNX);
        try (CausalLm teacher = Teachers.model(there.path(sc.hadoopConfiguration())); StudentScratch scratch = new StudentScratch(made);
                CausalLm student = Teachers.model(scratch.student().path(sc.hadoopConfiguration()))) {
            Pair pair = pair(teacher, student, there, made, source);
            String trainedWith = provenance.path("tokenizer").path("fingerprint").asText();
            if (!pair.tokenizer.fingerprint().equals(trainedWith)) {
                throw JobErrors.tokenizerDiffers(source.uri(), pair.tokenizer.fingerprint(), folder.path().toString(), trainedWith);
            }
            return evaluate(pair, tokenization, tasks, facts(teacher, there), facts(student, made), begin);
        }
    }

    private static void requireSame(JsonNode provenance, String key, double now) {
        double then = provenance.path("corpus").path(key).asDouble();
        if (then != now) {
            throw JobErrors.settingsDiffer("the student", key, now, then);
        }
    }

    private EvaluatedModel model(String setting, String uri, TeacherSource source, TeacherOptions.Engine engine) {
        return new EvaluatedModel(setting, uri, source.scratch(), engine, source.device(), wanted.precision(), "");
    }

    private Pair pair(CausalLm teacher, CausalLm student, EvaluatedModel there, EvaluatedModel made, TeacherSource source) {
        // A teacher that only ND4J can run is compared as it is; all others run where the student will.
        EvaluatedModel first = new EvaluatedModel(there.setting(), there.uri(), there.scratch(),
                teacher instanceof Checkpoint ? TeacherOptions.Engine.ONNX : there.engine(), there.device(), there.precision(), teacher.fingerprint());
        EvaluatedModel second = new EvaluatedModel(made.setting(), made.uri(), made.scratch(), made.engine(), made.device(), made.precision(),
                student.fingerprint());
        Teachers.require(teacher, first.options(1));
        Teachers.require(student, second.options(1));
        TokenizerDefinition tokenizer = teacher.tokenizer();
        return new Pair(first, second, tokenizer, Math.min(tokenizer.idCount(), Math.min(teacher.vocabSize(), student.vocabSize())),
                Math.min(teacher.maxPositionEmbeddings(), student.maxPositionEmbeddings()), source.threads(Cluster.coresPerExecutor(sc)));
    }

    private static ModelFacts facts(CausalLm model, EvaluatedModel where) {
        return new ModelFacts(where.name(), model.parameters(), model.storedBytes(), model.storedPrecision());
    }

    private EvaluateSummary evaluate(Pair pair, Tokenization tokenization, List<ChoiceTask> tasks, ModelFacts teacher, ModelFacts student,
            long begin) {
        // No longer than both can read, whatever the settings say now.
        Tokenization cut = new Tokenization(Math.min(tokenization.sequenceLength(), pair.maxPositions), tokenization.holdout(),
                tokenization.seed(), tokenization.specialTokens());
        JavaRDD<TokenizedDocument> corpus = cut.apply(new Corpus(spark, settings).documents(), pair.tokenizer)
                .filter(document -> document.problem() == null);
        JavaRDD<TokenizedDocument> heldOut = corpus.filter(TokenizedDocument::heldOut).persist(StorageLevel.MEMORY_AND_DISK());
        List<Work> work = new ArrayList<>(PassageDraw.draw(heldOut, cut.seed(), wanted.maxTokens(), 0));
        if (work.isEmpty()) {
            throw JobErrors.noHeldOutDocument(cut.holdout(), corpus.count());
        }
        List<Passage> speedPassages = passages(work);
        List<Passage> beginnings = PassageDraw.beginnings(heldOut, cut.seed(), wanted.texts());
        heldOut.unpersist(false);
        int text = 1;
        for (Map.Entry<String, String> further : wanted.corpora().entrySet()) {
            work.addAll(further(further.getKey(), further.getValue(), cut, pair, text++));
        }
        NgramModel ngrams = wanted.ngrams()
                ? NgramCounting.count(corpus.filter(document -> !document.heldOut()), histories(work), pair.vocabSize) : null;
        try (Tokenizer tokenizer = new Tokenizer(pair.tokenizer)) {
            ChoiceTokenizer choices = new ChoiceTokenizer(tokenizer, pair.tokenizer);
            for (int t = 0; t < tasks.size(); t++) {
                for (int q = 0; q < tasks.get(t).questions().size(); q++) {
                    work.add(choices.question(t, q, tasks.get(t).questions().get(q)));
                }
            }
        }
        List<ScoringTask.Scores> scores = score(pair, work, ngrams);
        List<TextScore> texts = texts(scores, wanted.corpora().size() + 1, work, pair);
        Map<String, TextScore> corpora = new LinkedHashMap<>();
        int number = 1;
        for (String name : wanted.corpora().keySet()) {
            corpora.put(name, texts.get(number++));
        }
        long scored = System.nanoTime();
        ServingSummary serving = serving(pair, speedPassages, beginnings);
        return new EvaluateSummary(teacher, student, wanted.precision().name().toLowerCase(Locale.ROOT), texts.get(0), corpora,
                tasks(scores, tasks), serving, new EvaluateSummary.Seconds(seconds[0], seconds[1], seconds[2], (System.nanoTime() - scored) / 1e9,
                        (System.nanoTime() - begin) / 1e9), notes);
    }

    private List<Passage> further(String name, String path, Tokenization cut, Pair pair, int text) {
        try {
            Settings its = settings.with("corpus.path", path).with("corpus.format", "auto");
            List<Passage> drawn = PassageDraw.draw(cut.apply(new Corpus(spark, its).documents(), pair.tokenizer)
                    .filter(document -> document.problem() == null), cut.seed(), wanted.maxTokens(), text);
            if (drawn.isEmpty()) {
                throw JobErrors.emptyText(name, path);
            }
            return drawn;
        } catch (UserException e) {
            throw JobErrors.badText(name, e);
        }
    }

    private static List<Passage> passages(List<Work> work) {
        return work.stream().filter(Passage.class::isInstance).map(Passage.class::cast).toList();
    }

    private static BitSet histories(List<Work> work) {
        BitSet histories = new BitSet();
        for (Passage passage : passages(work)) {
            for (int t = 0; t < passage.tokens().length - 1; t++) {
                histories.set(passage.tokens()[t]);
            }
        }
        return histories;
    }

    private List<ScoringTask.Scores> score(Pair pair, List<Work> work, NgramModel ngrams) {
        LongAccumulator done = sc.sc().longAccumulator("evaluated tokens");
        Broadcast<NgramModel> shared = ngrams == null ? null : sc.broadcast(ngrams);
        ScoringTask task = new ScoringTask(pair.teacher, pair.student, pair.vocabSize, pair.threads,
                settings.integer("batch-tokens", 1, BATCH), shared, Cluster.hadoop(sc), done);
        List<ScoringTask.Scores> scores;
        try (Progress progress = Progress.of("evaluate", work.stream().mapToLong(Work::positions).sum(), sc.sc(), done)) {
            // One task per executor, which has all its cores.
            scores = sc.parallelize(work, Cluster.executors(sc)).mapPartitions(part -> List.of(task.score(part)).iterator()).collect();
        }
        for (ScoringTask.Scores part : scores) {
            Arrays.setAll(seconds, i -> seconds[i] + part.seconds()[i]);
        }
        int teacher = scores.stream().mapToInt(ScoringTask.Scores::overTeacher).sum();
        int student = scores.stream().mapToInt(ScoringTask.Scores::overStudent).sum();
        if (teacher + student > 0) {
            notes.add(teacher + student + " passages are left out: " + teacher + " because the teacher's logits are not finite there, " + student
                    + " because the student's are not");
        }
        notes.forEach(LOG::warn);
        return scores;
    }

    private List<TextScore> texts(List<ScoringTask.Scores> scores, int count, List<Work> work, Pair pair) {
        List<Map<String, ScoringTask.DocumentScore>> byText = new ArrayList<>();
        for (int text = 0; text < count; text++) {
            byText.add(new TreeMap<>());
        }
        scores.forEach(part -> part.documents().forEach(document ->
                byText.get(document.text()).merge(document.document(), document, ScoringTask.DocumentScore::plus)));
        List<TextScore> texts = new ArrayList<>();
        for (Map<String, ScoringTask.DocumentScore> documents : byText) {
            if (documents.isEmpty()) {
                int passages = passages(work).size();
                throw scores.stream().mapToInt(ScoringTask.Scores::overTeacher).sum() > 0
                        ? JobErrors.teacherOverflows(pair.teacher.uri(), passages) : JobErrors.studentOverflows(pair.student.uri(), passages);
            }
            List<List<Comparison>> sums = documents.values().stream().map(ScoringTask.DocumentScore::models).toList();
            List<ModelScore> models = new Bootstrap(sums).scores(wanted.resamples(), settings.seed());
            texts.add(new TextScore(sums.size(), sums.stream().mapToLong(models0 -> models0.get(0).positions()).sum(), models.get(0), models.get(1),
                    models.size() > 2 ? models.get(2) : null, models.size() > 2 ? models.get(3) : null));
        }
        return texts;
    }

    private static Map<String, TaskScore> tasks(List<ScoringTask.Scores> scores, List<ChoiceTask> tasks) {
        Map<String, TaskScore> results = new LinkedHashMap<>();
        for (int t = 0; t < tasks.size(); t++) {
            ChoiceTask task = tasks.get(t);
            double[][] teacher = new double[task.questions().size()][];
            double[][] student = new double[task.questions().size()][];
            for (ScoringTask.Scores part : scores) {
                for (ScoringTask.QuestionScore question : part.questions()) {
                    if (question.task() == t) {
                        teacher[question.index()] = question.teacher();
                        student[question.index()] = question.student();
                    }
                }
            }
            results.put(task.name(), new TaskScore(task.questions().size(), task.chance(), task.answers(teacher), task.answers(student)));
        }
        return results;
    }

    /** @return null where speed is not asked for */
    private ServingSummary serving(Pair pair, List<Passage> passages, List<Passage> beginnings) {
        if (wanted.speedTokens() == 0) {
            return null;
        }
        List<int[]> pass = new ArrayList<>();
        int positions = 0;
        for (Passage passage : passages) {
            if (positions < wanted.speedTokens()) {
                int[] tokens = passage.tokens();
                pass.add(Arrays.copyOf(tokens, Math.min(tokens.length, wanted.speedTokens() - positions + 1)));
                positions += pass.get(pass.size() - 1).length - 1;
            }
        }
        List<ServingTrial.Beginning> prompts = new ArrayList<>();
        try (Tokenizer tokenizer = new Tokenizer(pair.tokenizer)) {
            for (Passage passage : beginnings) {
                int[] tokens = Arrays.copyOf(passage.tokens(), Math.min(PROMPT_TOKENS, (passage.tokens().length + 1) / 2));
                prompts.add(new ServingTrial.Beginning(passage.document(), tokenizer.decode(tokens), tokens));
            }
        }
        ServingTrial trial = new ServingTrial(pair.teacher, pair.student, pair.threads, pass, wanted.speedRepeats(), prompts,
                wanted.textTokens(), Cluster.hadoop(sc));
        ServingTrial.Result result = sc.parallelize(List.of(0), 1).map(only -> trial.run()).first();
        result.notes().forEach(note -> LOG.warn(note));
        notes.addAll(result.notes());
        return result.summary();
    }
}
