// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.storage.StorageLevel;
import org.apache.spark.util.LongAccumulator;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.tokenizer.Tokenizer;
import org.potstill.checkpoints.tokenizer.TokenizerDefinition;
import org.potstill.errors.UserException;
import org.potstill.spark.Cluster;
import org.potstill.spark.MemoryNeed;
import org.potstill.spark.Progress;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.LearnFrom;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.teacher.TeacherSource;
import org.potstill.spark.train.StudentFolder;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.TeacherOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Comparison of the student with its teacher: quality on held-out documents, further texts and tasks, with unigram and bigram
 * baselines from the training documents; speed and memory in the same serving engine; and generated texts.
 */
public final class EvaluateJob {
    private static final Logger LOG = LoggerFactory.getLogger(EvaluateJob.class);
    private static final int PROMPT_TOKENS = 32;
    private static final int BATCH = 1 << 24;

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;
    private final EvaluateSettings wanted;
    private final LearnFrom from;
    private final List<String> notes = new ArrayList<>();

    public EvaluateJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
        this.wanted = EvaluateSettings.of(settings);
        this.from = settings.choice("train.learn-from", LearnFrom.class);
    }

    /**
     * Both models and their common properties.
     *
     * @param vocabSize number of token ids that both models have
     * @param rows      rows of the larger head
     */
    private record Pair(EvaluatedModel teacher, EvaluatedModel student, TokenizerDefinition tokenizer, int vocabSize, int rows,
            int maxPositions, int threads) {
    }

    /** Validates the evaluation settings. */
    public static void check(Settings settings) {
        EvaluateSettings.of(settings);
        settings.integer("batch-tokens", 1, BATCH);
    }

    /**
     * Runs the evaluation.
     *
     * @return a summary for the report
     */
    public EvaluateSummary run() {
        long begin = System.nanoTime();
        HadoopFolder folder = new HadoopFolder("student", settings.required("student.path"), sc.hadoopConfiguration());
        JsonNode provenance = new StudentFolder(folder).provenance();
        Tokenization tokenization = Tokenization.of(settings);
        requireSame("corpus.holdout", tokenization.holdout(), provenance.path("corpus").path("corpus.holdout").asDouble());
        requireSame("seed", tokenization.seed(), provenance.path("corpus").path("seed").asLong());
        if (TeacherSource.isServed(settings)) {
            throw EvaluateErrors.teacherIsServed();
        }
        TeacherSource source = TeacherSource.of(settings);
        List<ChoiceTask> tasks = new ArrayList<>();
        wanted.tasks().forEach((name, path) -> tasks.add(ChoiceTask.read(name, path, wanted.maxQuestions(), sc.hadoopConfiguration())));
        EvaluatedModel there = model("teacher.path", source.uri(), source, source.engine());
        EvaluatedModel made = model("student.path", folder.path().toString(), source, TeacherOptions.Engine.ONNX);
        try (CausalLm teacher = Teachers.model(there.path(sc.hadoopConfiguration())); StudentScratch scratch = new StudentScratch(made);
                CausalLm student = Teachers.model(scratch.student().path(sc.hadoopConfiguration()))) {
            Pair pair = pair(teacher, student, there, made, source);
            String trainedWith = provenance.path("tokenizer").path("fingerprint").asText();
            // The teachers of a mixture may have one tokenizer in several files.
            if (!pair.tokenizer.fingerprint().equals(trainedWith)
                    && !provenance.path(StudentFolder.TEACHERS).findValuesAsText("tokenizer").contains(pair.tokenizer.fingerprint())) {
                throw EvaluateErrors.tokenizerDiffers(source.uri(), pair.tokenizer.fingerprint(), folder.path().toString(), trainedWith);
            }
            return evaluate(pair, tokenization, tasks, facts(teacher, there), facts(student, made), begin);
        }
    }

    private static void requireSame(String key, Object now, Object then) {
        if (!then.equals(now)) {
            throw JobErrors.settingsDiffer("the student", key, now, then);
        }
    }

    private EvaluatedModel model(String setting, String uri, TeacherSource source, TeacherOptions.Engine engine) {
        return new EvaluatedModel(setting, uri, source.scratch(), engine, source.device(), wanted.precision(), "");
    }

    private Pair pair(CausalLm teacher, CausalLm student, EvaluatedModel there, EvaluatedModel made, TeacherSource source) {
        // A teacher that only ND4J can run keeps its engine; all others run in the student's.
        EvaluatedModel first = new EvaluatedModel(there.setting(), there.uri(), there.scratch(),
                teacher instanceof Checkpoint ? TeacherOptions.Engine.ONNX : there.engine(), there.device(), there.precision(), teacher.fingerprint());
        EvaluatedModel second = new EvaluatedModel(made.setting(), made.uri(), made.scratch(), made.engine(), made.device(), made.precision(),
                student.fingerprint());
        Teachers.require(teacher, first.options(1));
        Teachers.require(student, second.options(1));
        TokenizerDefinition tokenizer = teacher.tokenizer();
        return new Pair(first, second, tokenizer, Math.min(tokenizer.idCount(), Math.min(teacher.vocabSize(), student.vocabSize())),
                Math.max(teacher.vocabSize(), student.vocabSize()),
                Math.min(teacher.maxPositionEmbeddings(), student.maxPositionEmbeddings()), source.threads(Cluster.coresPerExecutor(sc)));
    }

    private static ModelFacts facts(CausalLm model, EvaluatedModel where) {
        return new ModelFacts(where.name(), model.parameters(), model.storedBytes(), model.storedPrecision());
    }

    private EvaluateSummary evaluate(Pair pair, Tokenization tokenization, List<ChoiceTask> tasks, ModelFacts teacher, ModelFacts student,
            long begin) {
        // Limited to what both models can read, whatever the settings say.
        Tokenization cut = tokenization.atMost(pair.maxPositions);
        // Full distributions of both models, one sequence at a time.
        long logits = 2L * Float.BYTES * cut.sequenceLength() * pair.rows;
        new MemoryNeed(sc.getConf(), "evaluating sequences of " + cut.sequenceLength() + " tokens", "set a smaller sequence-length")
                .workers(logits, logits, 0);
        Corpus read = new Corpus(spark, settings);
        JavaRDD<TokenizedDocument> corpus = cut.apply(read.documents(), pair.tokenizer, pair.vocabSize)
                .filter(document -> document.problem() == null);
        JavaRDD<TokenizedDocument> heldOut = corpus.filter(TokenizedDocument::heldOut).persist(StorageLevel.MEMORY_AND_DISK());
        List<Work> work = new ArrayList<>(PassageDraw.draw(heldOut, from, cut.seed(), wanted.maxTokens(), 0));
        noteMasks(work);
        read.warnOfProblems();
        if (work.isEmpty()) {
            long usable = corpus.count();
            throw usable == 0 && !read.problems().isZero() ? CorpusErrors.noUsableDocument(read.name(), read.problems().value())
                    : EvaluateErrors.noHeldOutDocument(cut.holdout(), usable);
        }
        List<Passage> speedPassages = passages(work);
        List<Passage> beginnings = PassageDraw.beginnings(heldOut, cut.seed(), wanted.texts());
        Cluster.release(heldOut);
        int text = 1;
        for (Map.Entry<String, String> further : wanted.corpora().entrySet()) {
            work.addAll(further(further.getKey(), further.getValue(), cut, pair, text++));
        }
        NgramModel ngrams = wanted.ngrams()
                ? NgramCounting.count(corpus.filter(document -> !document.heldOut()), histories(work), pair.vocabSize) : null;
        work.addAll(questions(tasks, pair));
        // Balances the load of executors.
        Collections.shuffle(work, new Random(settings.seed()));
        ScoreSheet sheet = new ScoreSheet(score(pair, work, ngrams), wanted.resamples(), settings.seed());
        sheet.note().ifPresent(notes::add);
        notes.forEach(LOG::warn);
        Map<String, TextScore> corpora = new LinkedHashMap<>();
        TextScore heldOutScore = sheet.text(0).orElseThrow(() -> overflow(sheet, pair));
        int number = 1;
        for (String name : wanted.corpora().keySet()) {
            corpora.put(name, sheet.text(number++).orElseThrow(() -> overflow(sheet, pair)));
        }
        Map<String, TaskScore> answered = new LinkedHashMap<>();
        for (int t = 0; t < tasks.size(); t++) {
            answered.put(tasks.get(t).name(), sheet.task(t, tasks.get(t)));
        }
        long scored = System.nanoTime();
        ServingSummary serving = serving(pair, speedPassages, beginnings);
        return new EvaluateSummary(teacher, student, wanted.precision().name().toLowerCase(Locale.ROOT), heldOutScore, corpora,
                answered, serving, new EvaluateSummary.Seconds(sheet.seconds(0), sheet.seconds(1), sheet.seconds(2),
                        (System.nanoTime() - scored) / 1e9, (System.nanoTime() - begin) / 1e9), notes);
    }

    /** Notes that scores are over responses alone, if they are. */
    private void noteMasks(List<Work> held) {
        long masked = passages(held).stream().filter(passage -> passage.counted() != null).count();
        if (masked > 0) {
            notes.add((masked == held.size() ? "" : "of conversations, ") + "the scores on held-out text are over "
                    + (from == LearnFrom.RESPONSES ? "the assistant's responses" : "the assistant's last response of each conversation")
                    + " alone, which the student learns from (train.learn-from)");
        }
    }

    private static UserException overflow(ScoreSheet sheet, Pair pair) {
        return sheet.overTeacher() > 0 ? EvaluateErrors.teacherOverflows(pair.teacher.uri(), sheet.overTeacher())
                : EvaluateErrors.studentOverflows(pair.student.uri(), sheet.overStudent());
    }

    private List<Passage> further(String name, String path, Tokenization cut, Pair pair, int text) {
        try {
            Settings its = settings.withCorpus(path);
            Corpus corpus = new Corpus(spark, its);
            JavaRDD<TokenizedDocument> documents = cut.apply(corpus.documents(), pair.tokenizer, pair.vocabSize)
                    .filter(document -> document.problem() == null).persist(StorageLevel.MEMORY_AND_DISK());
            List<Passage> drawn = PassageDraw.draw(documents, from, cut.seed(), wanted.maxTokens(), text);
            Cluster.release(documents);
            if (drawn.isEmpty()) {
                throw EvaluateErrors.emptyText(name, path, corpus.problems().value());
            }
            corpus.warnOfProblems();
            return drawn;
        } catch (UserException e) {
            throw EvaluateErrors.badText(name, e);
        }
    }

    private static List<Question> questions(List<ChoiceTask> tasks, Pair pair) {
        List<Question> questions = new ArrayList<>();
        try (Tokenizer tokenizer = new Tokenizer(pair.tokenizer)) {
            ChoiceTokenizer choices = new ChoiceTokenizer(tokenizer, pair.tokenizer);
            for (int t = 0; t < tasks.size(); t++) {
                for (int q = 0; q < tasks.get(t).questions().size(); q++) {
                    questions.add(choices.question(t, q, tasks.get(t).questions().get(q)));
                }
            }
        }
        return questions;
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
        try (Progress progress = Progress.of("evaluate", work.stream().mapToLong(Work::positions).sum(), sc.sc(), done)) {
            // One task per executor, using all its cores.
            return sc.parallelize(work, Cluster.executors(sc)).mapPartitions(part -> List.of(task.score(part)).iterator()).collect();
        }
    }

    /** Measures speed and memory; returns null if evaluate.speed-tokens is 0. */
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
                int[] tokens = Arrays.copyOf(passage.tokens(), passage.promptLength(PROMPT_TOKENS));
                prompts.add(new ServingTrial.Beginning(passage.document(), tokenizer.decode(tokens), tokens));
            }
        }
        ServingTrial trial = new ServingTrial(pair.teacher, pair.student, pair.threads, pass, wanted.speedRepeats(), prompts,
                wanted.textTokens(), Cluster.hadoop(sc));
        LOG.info("measuring speed and memory, in one process per model");
        ServingTrial.Result result = sc.parallelize(List.of(0), 1).map(only -> trial.run()).first();
        result.notes().forEach(note -> LOG.warn(note));
        notes.addAll(result.notes());
        return result.summary();
    }
}
