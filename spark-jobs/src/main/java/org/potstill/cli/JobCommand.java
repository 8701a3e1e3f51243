// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.Settings;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The common part of commands that run a Spark job. */
abstract class JobCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Spec
    private CommandSpec spec;

    /** Lists the settings without which the job cannot begin. */
    abstract List<String> needs(Settings settings);

    /**
     * Runs the job.
     *
     * @return its part of the report
     */
    abstract Object run(SparkSession spark, Settings settings);

    /** Summarises the result in a sentence or two. */
    abstract String describe(Object summary);

    @Override
    public final Integer call() {
        Settings settings = options.load();
        settings.require(needs(settings));
        return Sessions.run(spec.name(), settings, spark -> {
            Report report = new Report(settings, spark.sparkContext().hadoopConfiguration());
            report.requireWritable();
            Object summary = run(spark, settings);
            // First: the report may be on a disk that is full by now.
            spec.commandLine().getOut().println(describe(summary));
            spec.commandLine().getOut().flush();
            spec.commandLine().getOut().println("report: " + report.put(spec.name(), summary));
            spec.commandLine().getOut().flush();
            return 0;
        });
    }
}
