package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.JobErrors;
import org.potstill.spark.Sessions;
import org.potstill.spark.Settings;
import org.potstill.spark.cache.CacheChange;
import org.potstill.spark.cache.LabelStore;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What the commands that tidy up a cache have in common: they go through all that it holds, or some of it. */
abstract class CacheUpkeepCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Option(names = "--teacher", paramLabel = "HEX", defaultValue = "", description = "Only labels of teachers whose fingerprint begins so.")
    private String teacher;

    @Option(names = "--spec", paramLabel = "NAME", defaultValue = "", description = "Only labels of target specifications whose name begins so.")
    private String target;

    @Spec
    private CommandSpec spec;

    abstract CacheChange tidy(SparkSession spark, LabelStore store);

    @Override
    public final Integer call() {
        Settings settings = options.load();
        String cache = settings.required("cache.path");
        return Sessions.run(spec.name(), settings, spark -> {
            List<String> all = LabelStore.folders(spark, cache);
            List<String> chosen = all.stream()
                    .filter(held -> held.startsWith("teacher=" + teacher) && held.contains("/spec=" + target)).toList();
            if (chosen.isEmpty()) {
                throw JobErrors.noCache(cache, target.isEmpty() ? teacher : target, all);
            }
            for (String held : chosen) {
                spec.commandLine().getOut().println(held + ": " + describe(tidy(spark, LabelStore.open(spark, cache, held))));
                spec.commandLine().getOut().flush();
            }
            return 0;
        });
    }

    private static String describe(CacheChange change) {
        return String.format(Locale.ROOT, "%,d → %,d rows, %,d → %,d bytes, %,d → %,d files; %,d files of %,d bytes deleted",
                change.rowsBefore(), change.rowsAfter(), change.bytesBefore(), change.bytesAfter(), change.filesBefore(),
                change.filesAfter(), change.deletedFiles(), change.deletedBytes());
    }
}
