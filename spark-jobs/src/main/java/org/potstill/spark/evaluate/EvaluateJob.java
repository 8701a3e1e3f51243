package org.potstill.spark.evaluate;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.util.LongAccumulator;
import org.apache.spark.util.SerializableConfiguration;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.TokenizerDefinition;
import org.potstill.spark.Cluster;
import org.potstill.spark.Comparison;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Progress;
import org.potstill.spark.Settings;
import org.potstill.spark.TemporaryFolder;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.TokenizedDocument;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.label.ExecutorTeacher;
import org.potstill.spark.label.TeacherSource;
import org.potstill.spark.train.StudentFolder;
import org.potstill.spark.train.StudentInit;
import org.potstill.student.Student;
import org.potstill.student.TrainingOptions;
import org.potstill.teacher.Teacher;
import org.potstill.teacher.Teachers;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Sets the student against its teacher on the held-out documents, both live and under the same conditions. */
public final class EvaluateJob {
    private static final Logger LOG = LoggerFactory.getLogger(EvaluateJob.class);

    private final SparkSession spark;
    private final JavaSparkContext sc;
    private final Settings settings;

    public EvaluateJob(SparkSession spark, Settings settings) {
        this.spark = spark;
        this.sc = new JavaSparkContext(spark.sparkContext());
        this.settings = settings;
    }

    private record HeldOut(String document, int[] tokens) implements Serializable {
    }

    /**
     * The models' sums over some sequences.
     *
     * @param left out of the sums: sequences over which the teacher's weights or activations overflow
     */
    private record Scores(Comparison teacher, Comparison student, Comparison untrained, long left) implements Serializable {
        static final Scores NONE = new Scores(Comparison.NONE, Comparison.NONE, Comparison.NONE, 0);

        Scores plus(Scores other) {
            return new Scores(teacher.plus(other.teacher), student.plus(other.student), untrained.plus(other.untrained),
                    left + other.left);
        }
    }

    public EvaluateSummary run() {
        HadoopFolder folder = new HadoopFolder("student", settings.required("student.path"), sc.hadoopConfiguration());
        StudentFolder saved = new StudentFolder(folder);
        JsonNode provenance = saved.provenance();
        Tokenization tokenization = Tokenization.of(settings);
        requireSame(provenance, "corpus.holdout", tokenization.holdout());
        requireSame(provenance, "seed", tokenization.seed());
        TeacherSource source = TeacherSource.of(settings);
        Teachers.requireDevice(source.options(1, 0));
        try (CausalLm teacher = Teachers.model(source.localPath(sc.hadoopConfiguration()))) {
            Teachers.require(teacher, source.options(1, 0));
            TokenizerDefinition tokenizer = teacher.tokenizer();
            String trainedWith = provenance.path("tokenizer").path("fingerprint").asText();
            if (!tokenizer.fingerprint().equals(trainedWith)) {
                throw JobErrors.tokenizerDiffers(source.uri(), tokenizer.fingerprint(), folder.path().toString(), trainedWith);
            }
            List<HeldOut> sequences = heldOut(tokenization, tokenizer);
            return evaluate(sequences, teacher, source, saved, provenance);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void requireSame(JsonNode provenance, String key, double now) {
        double then = provenance.path("corpus").path(key).asDouble();
        if (then != now) {
            throw JobErrors.settingsDiffer("the student", key, now, then);
        }
    }

    private static void requireSame(JsonNode provenance, StudentInit init) {
        String then = provenance.path("identity").path("student.init").asText("");
        if (!then.equals(init.fingerprint())) {
            throw JobErrors.settingsDiffer("the student", "student.init", init.fingerprint(), then);
        }
    }

    private List<HeldOut> heldOut(Tokenization tokenization, TokenizerDefinition tokenizer) {
        JavaRDD<TokenizedDocument> documents = tokenization.apply(new Corpus(spark, settings).documents(), tokenizer);
        int limit = settings.integer("evaluate.max-tokens", 1, Integer.MAX_VALUE);
        List<HeldOut> chosen = new ArrayList<>();
        long positions = 0;
        Iterator<TokenizedDocument> kept = documents.filter(TokenizedDocument::heldOut).sortBy(TokenizedDocument::id, true, 1)
                .toLocalIterator();
        while (kept.hasNext() && positions < limit) {
            TokenizedDocument document = kept.next();
            for (int[] tokens : document.sequences()) {
                if (positions < limit) {
                    chosen.add(new HeldOut(document.id(), tokens));
                    positions += tokens.length - 1;
                }
            }
        }
        if (chosen.isEmpty()) {
            throw JobErrors.noHeldOutDocument(tokenization.holdout(), documents.count());
        }
        return chosen;
    }

    private EvaluateSummary evaluate(List<HeldOut> sequences, CausalLm teacher, TeacherSource source, StudentFolder saved,
            JsonNode provenance) throws IOException {
        CausalLmConfig config;
        float[] parameters;
        float[] first;
        long studentBytes;
        try (TemporaryFolder local = new TemporaryFolder(); Student student = saved.open(local.path(), TrainingOptions.NONE)) {
            config = student.config();
            parameters = student.parameters();
            studentBytes = Files.size(local.path().resolve(Student.WEIGHTS));
        }
        JsonNode then = provenance.path("settings").path("student");
        Settings trainedWith = settings.with("student.init", then.path("init").asText(""))
                .with("student.init-layers", then.path("init-layers").asText("evenly-spaced"));
        try (StudentInit init = new StudentInit(trainedWith, sc.hadoopConfiguration());
                Student untrained = Student.create(config, TrainingOptions.NONE, provenance.path("identity").path("seed").asLong())) {
            requireSame(provenance, init);
            init.apply(untrained);
            first = untrained.parameters();
        }
        int threads = source.threads(Cluster.coresPerExecutor(sc));
        long positions = sequences.stream().mapToLong(s -> s.tokens().length - 1L).sum();
        LongAccumulator done = sc.sc().longAccumulator("evaluated tokens");
        Task task = new Task(source, source.fingerprint(teacher), threads, config, sc.broadcast(parameters),
                sc.broadcast(first), Cluster.hadoop(sc), done);
        Scores sums;
        try (Progress progress = Progress.of("evaluate", positions, sc.sc(), done)) {
            // One task an executor, which has all its cores: the figures are of models that run alone.
            sums = sc.parallelize(sequences, Cluster.executors(sc)).mapPartitions(part -> List.of(task.score(part)).iterator())
                    .reduce(Scores::plus);
        }
        if (sums.left() == sequences.size()) {
            throw JobErrors.teacherOverflows(source.uri(), sequences.size());
        }
        if (sums.left() > 0) {
            LOG.warn("{} of {} held-out sequences are left out: the teacher gave no finite probabilities for them", sums.left(),
                    sequences.size());
        }
        Set<String> documents = new HashSet<>();
        sequences.forEach(s -> documents.add(s.document()));
        return new EvaluateSummary(documents.size(), sums.teacher().positions(), threads,
                ModelScore.of("teacher", teacher.parameters(), teacher.storedBytes(), sums.teacher()),
                ModelScore.of("student", parameters.length, studentBytes, sums.student()),
                ModelScore.of("untrained student", parameters.length, 0, sums.untrained()));
    }

    private record Task(TeacherSource source, String fingerprint, int threads, CausalLmConfig config, Broadcast<float[]> parameters,
            Broadcast<float[]> first, Broadcast<SerializableConfiguration> hadoop, LongAccumulator done) implements Serializable {
        Scores score(Iterator<HeldOut> sequences) {
            Teacher teacher = ExecutorTeacher.get(source, fingerprint, threads, hadoop.value().value());
            Scores sums = Scores.NONE;
            Student.setThreads(threads);
            try (Student student = Student.create(config, TrainingOptions.NONE, 0);
                    Student untrained = Student.create(config, TrainingOptions.NONE, 0)) {
                student.setParameters(parameters.value());
                untrained.setParameters(first.value());
                boolean warm = false;
                while (sequences.hasNext()) {
                    int[] tokens = sequences.next().tokens();
                    int[] inputs = java.util.Arrays.copyOf(tokens, tokens.length - 1);
                    if (!warm) {
                        // The first pass through each model is start-up, not speed.
                        teacher.logits(inputs);
                        student.logits(inputs);
                        warm = true;
                    }
                    sums = sums.plus(compare(teacher, student, untrained, tokens, inputs));
                    done.add(inputs.length);
                }
            }
            return sums;
        }

        private static Scores compare(Teacher teacher, Student student, Student untrained, int[] tokens, int[] inputs) {
            long begin = System.nanoTime();
            float[] reference = teacher.logits(inputs);
            Comparison itself = Comparison.of(reference, reference, tokens, (System.nanoTime() - begin) / 1e9);
            if (!Double.isFinite(itself.loss() + itself.kl())) {
                return new Scores(Comparison.NONE, Comparison.NONE, Comparison.NONE, 1);
            }
            begin = System.nanoTime();
            float[] learnt = student.logits(inputs);
            double seconds = (System.nanoTime() - begin) / 1e9;
            return new Scores(itself, Comparison.of(reference, learnt, tokens, seconds),
                    Comparison.of(reference, untrained.logits(inputs), tokens, 0), 0);
        }
    }
}
