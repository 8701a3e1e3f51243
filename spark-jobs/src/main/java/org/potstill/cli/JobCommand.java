// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.concurrent.Callable;
import org.apache.hadoop.conf.Configuration;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.lineage.Lineage;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.tracking.JobRun;
import org.potstill.spark.train.StudentFolder;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The common part of commands that run a Spark job. */
abstract class JobCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Spec
    private CommandSpec spec;

    /** Lists the settings that name what the job writes. */
    List<String> writes() {
        return PathSettings.WRITTEN;
    }

    /** Lists the settings without which the job cannot begin. */
    abstract List<String> needs(Settings settings);

    /**
     * Runs the job.
     *
     * @param record is told how it proceeds
     * @return its part of the report
     */
    abstract Object run(SparkSession spark, Settings settings, JobRun record);

    /** Summarises the result in a sentence or two. */
    abstract String describe(Object summary);

    /**
     * Opens the report. Fails, before any work is done, on paths that cannot be reached and on folders that hold a model of others.
     *
     * @param needed settings with paths
     */
    static Report report(Settings settings, List<String> needed, List<String> written, Configuration hadoop) {
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

    @Override
    public final Integer call() {
        Settings settings = options.load(writes());
        settings.require(needs(settings));
        return Sessions.run(spec.name(), settings, spark -> {
            Report report = report(settings, needs(settings), writes(), spark.sparkContext().hadoopConfiguration());
            try (JobRun record = JobRun.begin(spec.name(), settings, spark.sparkContext().hadoopConfiguration())) {
                Object summary = run(spark, settings, record);
                // First: the report may be on a disk that is full by now.
                spec.commandLine().getOut().println(describe(summary));
                spec.commandLine().getOut().flush();
                String page = report.put(spec.name(), summary);
                record.done(summary, page);
                Lineage.tell(spark, settings, summary);
                spec.commandLine().getOut().println("report: " + page);
                spec.commandLine().getOut().flush();
            }
            return 0;
        });
    }
}
