// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.api;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.potstill.errors.UserException;
import org.potstill.spark.Failures;
import org.potstill.spark.Platform;
import org.potstill.spark.Progress;
import org.potstill.spark.Sessions;
import org.potstill.spark.errors.ApiErrors;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.sql.PotstillExtensions;
import org.potstill.spark.teacher.ExecutorTeacher;
import org.potstill.spark.train.TrainSummary;
import org.potstill.spark.write.WriteSummary;

/**
 * Potstill's jobs in a session that exists, such as a notebook's: DataFrames in and out.
 *
 * <p>The keys of {@code conf} are those of the settings, as behind {@code --set}; the key {@code conf} names a file of settings beneath
 * them. The documents are a DataFrame or, without one, what {@code conf} says of {@code corpus}. Each job writes its part of the report and
 * leaves the session running. A call waits for the one before: there is one at a time in a JVM. What the user can fix is a
 * {@link UserException}, which says how.
 */
public final class Potstill {
    /** The temporary view that a DataFrame of documents is while its job runs. */
    static final String VIEW = "potstill_texts";
    private static final String FILE = "conf";
    private static final ReentrantLock ONE_AT_A_TIME = new ReentrantLock(true);

    private Potstill() {
    }

    /**
     * Scores texts or conversations with the teacher, as far as the cache lacks them.
     *
     * @param texts with a column {@code corpus.text-field} or conversations, and possibly {@code corpus.id-field}
     * @return a row per sequence of the documents that are not held out: {@code document}, {@code sequence}, {@code key}, {@code tokens}, {@code
     *         distributions} (decoded where they are read), {@code teacher_loss} and {@code teacher_entropy}
     */
    public static Dataset<Row> label(SparkSession spark, Dataset<Row> texts, Map<String, String> conf) {
        return run(Job.LABEL, spark, texts, conf, summary -> ResultTables.labels(spark, summary));
    }

    /** The same for the corpus of {@code conf}. */
    public static Dataset<Row> label(SparkSession spark, Map<String, String> conf) {
        return label(spark, null, conf);
    }

    /**
     * Trains a student on the labels of the last label run.
     *
     * @return a row per step: {@code step}, {@code loss}, {@code kl}, {@code cross_entropy} and {@code positions}
     */
    public static Dataset<Row> train(SparkSession spark, Map<String, String> conf) {
        return run(Job.TRAIN, spark, null, conf, summary -> ResultTables.steps(spark, (TrainSummary) summary));
    }

    /**
     * Compares the student with its teacher on the held-out documents of the texts that were labelled.
     *
     * @param texts see {@link #label}
     * @return a row per text and model: the names of the teacher (of several), the text and the model, documents, positions and scores
     */
    public static Dataset<Row> evaluate(SparkSession spark, Dataset<Row> texts, Map<String, String> conf) {
        return run(Job.EVALUATE, spark, texts, conf, summary -> ResultTables.scores(spark, summary));
    }

    /** The same for the corpus of {@code conf}. */
    public static Dataset<Row> evaluate(SparkSession spark, Map<String, String> conf) {
        return evaluate(spark, null, conf);
    }

    /**
     * Has the teacher answer prompts.
     *
     * @param prompts see {@link #label}
     * @return the conversations
     */
    public static Dataset<Row> write(SparkSession spark, Dataset<Row> prompts, Map<String, String> conf) {
        return run(Job.WRITE, spark, prompts, conf, summary -> spark.read().parquet(((WriteSummary) summary).path()));
    }

    /** The same for the corpus of {@code conf}. */
    public static Dataset<Row> write(SparkSession spark, Map<String, String> conf) {
        return write(spark, null, conf);
    }

    /**
     * Continues prompts on this machine's CPU, one by one: for a look at a model. For many prompts there is {@link #write}.
     *
     * @param prompts with a string column named "prompt"
     * @param model   a file or folder; any Hadoop path
     * @param options those of {@code potstill generate}, such as {@code max-new-tokens}, and settings
     * @return the prompts with a column {@code text}
     */
    public static Dataset<Row> generate(SparkSession spark, Dataset<Row> prompts, String model, Map<String, String> options) {
        Platform.require();
        return explained(() -> ResultTables.continued(spark, prompts, Generation.of(model, options)));
    }

    /** Returns the report's page, HTML; empty if no job has written it. */
    public static String report(SparkSession spark, Map<String, String> conf) {
        Platform.require();
        return explained(() -> new Report(settings(conf), spark.sparkContext().hadoopConfiguration()).page());
    }

    /** Returns the path of the report's page. */
    public static String reportPath(SparkSession spark, Map<String, String> conf) {
        return explained(() -> new Report(settings(conf), spark.sparkContext().hadoopConfiguration()).path());
    }

    /** Adds {@code potstill_decode} to the SQL of a session. */
    public static void register(SparkSession spark) {
        Platform.require();
        PotstillExtensions.register(spark);
    }

    /** Returns how far the task under way has come, for another thread to show: its name, what is done and all there is to do, with tabs between; empty without one. */
    public static String progress() {
        return Progress.current().map(step -> step.task() + "\t" + step.done() + "\t" + step.total()).orElse("");
    }

    static Settings settings(Map<String, String> conf) {
        Map<String, String> overrides = new TreeMap<>(conf);
        String file = overrides.remove(FILE);
        List<String> set = new ArrayList<>();
        overrides.forEach((key, value) -> set.add(key + "=" + value));
        return Settings.load(file == null ? List.of() : List.of(file), set);
    }

    private static <T> T run(Job job, SparkSession spark, Dataset<Row> texts, Map<String, String> conf, Function<Object, T> result) {
        Platform.require();
        ONE_AT_A_TIME.lock();
        try {
            return explained(() -> inSession(spark, () -> withView(spark, texts, () -> {
                Settings settings = texts == null ? settings(conf) : ofView(settings(conf));
                Job.check(settings, job.writes(), Map.of(), List.of());
                settings.require(job.needs(settings));
                return Sessions.run(job.title(), settings, session -> {
                    PotstillExtensions.register(session);
                    Report report = Job.report(settings, job.needs(settings), job.writes(), session.sparkContext().hadoopConfiguration());
                    AtomicReference<Object> summary = new AtomicReference<>();
                    job.run(session, settings, report, part -> {
                        summary.set(part);
                        // What comes next in this session has the memory to itself.
                        ExecutorTeacher.release(new JavaSparkContext(session.sparkContext()));
                    });
                    return result.apply(summary.get());
                });
            })));
        } finally {
            ONE_AT_A_TIME.unlock();
        }
    }

    private static Settings ofView(Settings settings) {
        for (String key : List.of("corpus.path", "corpus.table", "corpus.query")) {
            if (!settings.string(key).isBlank()) {
                throw ApiErrors.twoCorpora(key);
            }
        }
        return settings.with("corpus.table", VIEW);
    }

    private interface Call<T> {
        T call();
    }

    /** Makes the session the one that jobs find, which is left as it was. */
    private static <T> T inSession(SparkSession spark, Call<T> call) {
        if (spark.sparkContext().isStopped()) {
            throw ApiErrors.stoppedSession();
        }
        Optional<SparkSession> before = SparkSession.getActiveSession().isDefined() ? Optional.of(SparkSession.active()) : Optional.empty();
        SparkSession.setActiveSession(spark);
        try {
            return call.call();
        } finally {
            before.ifPresentOrElse(SparkSession::setActiveSession, SparkSession::clearActiveSession);
        }
    }

    private static <T> T withView(SparkSession spark, Dataset<Row> texts, Call<T> call) {
        if (texts == null) {
            return call.call();
        }
        if (texts.sparkSession() != spark) {
            throw ApiErrors.otherSession();
        }
        texts.createOrReplaceTempView(VIEW);
        try {
            return call.call();
        } finally {
            spark.catalog().dropTempView(VIEW);
        }
    }

    /** @throws UserException if the failure is a known one */
    private static <T> T explained(Call<T> call) {
        try {
            return call.call();
        } catch (RuntimeException e) {
            throw Failures.explain(e).<RuntimeException>map(known -> known).orElse(e);
        } catch (Error e) {
            Optional<UserException> known = Failures.explain(e);
            if (known.isPresent()) {
                throw known.get();
            }
            throw e;
        }
    }
}
