// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.api.Job;
import org.potstill.spark.distil.FinishedSteps;
import org.potstill.spark.distil.PrunedStart;
import org.potstill.spark.distil.TrainingAhead;
import org.potstill.spark.evaluate.MixtureEvaluateJob;
import org.potstill.spark.export.ExportFormat;
import org.potstill.spark.export.StudentExport;
import org.potstill.spark.report.Report;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.teacher.ExecutorTeacher;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(name = "distil", description = {
    "Runs the whole pipeline in one application: prune, label, train, evaluate, export.", "",
    "A step is skipped if it is not requested (prune without prune.path, export without export.path) or if its result already "
        + "exists: after a failure, the same command does what is missing. Writes one report at the end."},
    footer = {"", "Needs teacher.path (or teachers), corpus.path, cache.path and student.path. Without prune.path and student.init the student begins with "
        + "random weights.", "",
        "Example:", "  potstill distil --conf distil.conf --set prune.path=pruned --set prune.parameters=0.75 --set export.path=student-hf"})
final class DistilCommand implements Callable<Integer> {
    private static final List<String> NEEDS = List.of("teacher.path", "corpus.path", "cache.path", "student.path");

    @Mixin
    private SettingsOptions options;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Settings settings = PrunedStart.apply(options.load(PathSettings.WRITTEN));
        settings.require(NEEDS);
        if (!settings.string("export.path").isBlank()) {
            order(settings, false);
        }
        return Sessions.run(spec.name(), settings, spark -> {
            run(spark, settings);
            return 0;
        });
    }

    private void run(SparkSession spark, Settings settings) {
        JavaSparkContext sc = new JavaSparkContext(spark.sparkContext());
        Report report = Job.report(settings, NEEDS, PathSettings.WRITTEN, sc.hadoopConfiguration());
        FinishedSteps finished = new FinishedSteps(settings, sc.hadoopConfiguration());
        TrainingAhead.require(spark, settings);
        Map<String, JobCommand> jobs = new LinkedHashMap<>();
        if (PrunedStart.isAskedFor(settings)) {
            jobs.put("prune", new PruneCommand());
        }
        jobs.put("label", new LabelCommand());
        jobs.put("train", new TrainCommand());
        if (MixtureEvaluateJob.areAllServed(settings)) {
            say("evaluate is left out: it compares whole distributions, which a teacher behind a URL does not give");
        } else {
            jobs.put("evaluate", new EvaluateCommand());
        }
        String page = "";
        for (Map.Entry<String, JobCommand> job : jobs.entrySet()) {
            say("== " + job.getKey());
            // The others find out for themselves what is done.
            boolean evaluates = job.getKey().equals("evaluate");
            if (evaluates && finished.contains("evaluate") && report.section("evaluate").isObject()) {
                say("this student was evaluated already");
                page = report.path();
                continue;
            }
            page = job.getValue().run(spark, settings, report, this::say);
            if (evaluates) {
                finished.add("evaluate");
            }
            // What comes next has the memory to itself.
            ExecutorTeacher.release(sc);
        }
        if (!settings.string("export.path").isBlank()) {
            export(spark, settings, finished);
        }
        say("report: " + page);
    }

    private void export(SparkSession spark, Settings settings, FinishedSteps finished) {
        say("== export");
        StudentExport export = new StudentExport(settings, spark.sparkContext().hadoopConfiguration(), Optional.of(spark));
        boolean there = export.isThere(order(settings, false));
        if (there && finished.contains("export")) {
            say("the student is in " + settings.string("export.path") + " already");
            return;
        }
        // Of an older student's; anything else stays.
        ExportCommand.describe(export.run(order(settings, there))).forEach(this::say);
        finished.add("export");
    }

    /** Checks the settings of the export. */
    static void check(Settings settings) {
        order(settings, false);
        settings.integer("export.max-tokens", 1, 1 << 24);
    }

    private static StudentExport.Order order(Settings settings, boolean overwrite) {
        ExportFormat.Precision precision = settings.string("export.precision").isBlank() ? null
                : settings.choice("export.precision", ExportFormat.Precision.class);
        return new StudentExport.Order(settings.choice("export.format", ExportFormat.class), precision, settings.string("export.path"),
                overwrite, null);
    }

    private void say(String line) {
        spec.commandLine().getOut().println(line);
        spec.commandLine().getOut().flush();
    }
}
