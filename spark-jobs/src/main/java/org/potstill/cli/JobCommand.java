// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.api.Job;
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

    private final Job job;

    JobCommand(Job job) {
        this.job = job;
    }

    /**
     * Runs the job.
     *
     * @return path of the report's page
     */
    final String run(SparkSession spark, Settings settings, Report report, Consumer<String> out) {
        return job.run(spark, settings, report, summary -> out.accept(describe(summary)));
    }

    /** Returns the settings with those that the command's own options stand for. */
    Settings withOptions(Settings settings) {
        return settings;
    }

    /** Summarises the result in a sentence or two. */
    abstract String describe(Object summary);

    @Override
    public final Integer call() {
        Settings settings = withOptions(options.load(job.writes()));
        settings.require(job.needs(settings));
        return Sessions.run(spec.name(), settings, spark -> {
            Report report = Job.report(settings, job.needs(settings), job.writes(), spark.sparkContext().hadoopConfiguration());
            say("report: " + run(spark, settings, report, this::say));
            return 0;
        });
    }

    private void say(String line) {
        spec.commandLine().getOut().println(line);
        spec.commandLine().getOut().flush();
    }
}
