// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.api;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.potstill.errors.UserException;
import org.potstill.spark.SparkSettings;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.errors.MixtureErrors;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.MixtureEvaluateJob;
import org.potstill.spark.hardware.HardwareSettings;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.MixtureLabelJob;
import org.potstill.spark.lineage.Lineage;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.settings.TeacherSections;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.tracking.JobRun;
import org.potstill.spark.train.StudentFolder;
import org.potstill.spark.train.TrainJob;
import org.potstill.spark.write.WriteJob;

/** A job that the report has a part for: what it needs, what it writes, and how it runs. */
public enum Job {
    PRUNE(PathSettings.WRITTEN) {
        @Override
        public List<String> needs(Settings settings) {
            return List.of("corpus.path", "prune.path",
                    settings.string("prune.model").isBlank() && settings.teachers().isEmpty() ? "teacher.path" : "prune.model");
        }

        @Override
        Object run(SparkSession spark, Settings settings, JobRun record) {
            return new PruneJob(spark, settings).run();
        }
    },

    WRITE(List.of(PathSettings.ANSWERS, "report.path", PathSettings.SCRATCH)) {
        @Override
        public List<String> needs(Settings settings) {
            return List.of("teacher.path", "corpus.path", "write.path");
        }

        @Override
        Object run(SparkSession spark, Settings settings, JobRun record) {
            if (!settings.teachers().isEmpty()) {
                throw MixtureErrors.onlyOne("write");
            }
            return new WriteJob(spark, settings).run();
        }
    },

    LABEL(PathSettings.WRITTEN) {
        @Override
        public List<String> needs(Settings settings) {
            return List.of("teacher.path", "corpus.path", "cache.path");
        }

        @Override
        Object run(SparkSession spark, Settings settings, JobRun record) {
            return settings.teachers().isEmpty() ? new LabelJob(spark, settings).run() : new MixtureLabelJob(spark, settings).run();
        }
    },

    TRAIN(PathSettings.WRITTEN) {
        @Override
        public List<String> needs(Settings settings) {
            return List.of("cache.path", "student.path");
        }

        @Override
        Object run(SparkSession spark, Settings settings, JobRun record) {
            return new TrainJob(spark, settings, record::learnt).run();
        }
    },

    EVALUATE(List.of("report.path", PathSettings.SCRATCH)) {
        @Override
        public List<String> needs(Settings settings) {
            return List.of("teacher.path", "corpus.path", "student.path");
        }

        @Override
        Object run(SparkSession spark, Settings settings, JobRun record) {
            return settings.teachers().isEmpty() ? new EvaluateJob(spark, settings).run() : new MixtureEvaluateJob(spark, settings).run();
        }
    };

    private final List<String> writes;

    Job(List<String> writes) {
        this.writes = writes;
    }

    /** Lists the settings without which the job cannot begin. */
    public abstract List<String> needs(Settings settings);

    /**
     * Runs the job.
     *
     * @param record is told how it proceeds
     * @return its part of the report
     */
    abstract Object run(SparkSession spark, Settings settings, JobRun record);

    /**
     * Runs the job, puts its part into the report, and records it where the settings say so.
     *
     * @param told takes the part before the report does, whose disk may be full by now
     * @return path of the report's page
     */
    public final String run(SparkSession spark, Settings settings, Report report, Consumer<Object> told) {
        try (JobRun record = JobRun.begin(title(), settings, spark.sparkContext().hadoopConfiguration())) {
            Object summary = run(spark, settings, record);
            told.accept(summary);
            String page = report.put(title(), summary);
            record.done(summary, page);
            Lineage.tell(spark, settings, summary);
            return page;
        }
    }

    /** Lists the settings that name what the job writes. */
    public List<String> writes() {
        return writes;
    }

    /** Returns its name on the command line and in the report. */
    public String title() {
        return name().toLowerCase(Locale.ROOT);
    }

    /**
     * Checks the settings of all jobs, so that a later one's errors show before the first one runs.
     *
     * @param written settings and options that name what is written
     * @param paths   paths that options name, by option
     * @param more    further checks
     * @throws UserException that names every value that cannot be used
     */
    public static void check(Settings settings, Collection<String> written, Map<String, String> paths, List<Consumer<Settings>> more) {
        List<Consumer<Settings>> checks = new ArrayList<>(List.of(read -> PathSettings.check(read, paths), read -> PathSettings.checkApart(read, written, paths),
                SparkSettings::check, TeacherSections::check, Job::checkTeachers, Corpus::check, Tokenization::of, LabelJob::check, WriteJob::check, PruneJob::check,
                TrainJob::check, EvaluateJob::check, HardwareSettings::of, JobRun::check));
        checks.addAll(more);
        settings.check(checks);
    }

    /** Checks the settings of each of several teachers. */
    private static void checkTeachers(Settings settings) {
        settings.teachers().forEach(name -> LabelJob.check(settings.ofTeacher(name)));
    }

    /**
     * Opens the report. Fails, before any work is done, on paths that cannot be reached and on folders that hold a model of others.
     *
     * @param needed  settings with paths
     * @param written settings that name what the jobs write
     */
    public static Report report(Settings settings, List<String> needed, List<String> written, Configuration hadoop) {
        PathSettings.requireReachable(settings, needed, hadoop);
        for (String key : List.of("cache.path", "report.path")) {
            if (written.contains(key) && !settings.string(key).isBlank()) {
                new HadoopFolder(key, settings.string(key), hadoop).requireOurs(key, List.of(Labels.FOLDER, Report.DATA), StudentFolder.MODEL);
            }
        }
        Report report = new Report(settings, hadoop);
        report.requireWritable();
        return report;
    }
}
