package org.potstill.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.Settings;
import org.potstill.spark.report.Report;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the commands that run a Spark job have in common. */
abstract class JobCommand implements Callable<Integer> {
    @Option(names = "--conf", paramLabel = "FILE", description = "The settings, HOCON; a local file or any Hadoop path.")
    private String conf;

    @Option(names = "--set", paramLabel = "KEY=VALUE",
            description = "One setting, above the file's; may be repeated. 'potstill defaults' prints every key.")
    private final List<String> overrides = new ArrayList<>();

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
    private boolean help;

    @Spec
    private CommandSpec spec;

    /** Runs the job. @return what the report shows of it */
    abstract Object run(SparkSession spark, Settings settings);

    /** A sentence or two on how it went. */
    abstract String describe(Object summary);

    @Override
    public final Integer call() {
        Settings settings = Settings.load(conf, overrides);
        return Sessions.run(spec.name(), settings, spark -> {
            // Where it goes must be known before any work is done.
            Report report = new Report(settings, spark.sparkContext().hadoopConfiguration());
            Object summary = run(spark, settings);
            String page = report.put(spec.name(), summary);
            spec.commandLine().getOut().println(describe(summary));
            spec.commandLine().getOut().println("report: " + page);
            spec.commandLine().getOut().flush();
            return 0;
        });
    }
}
