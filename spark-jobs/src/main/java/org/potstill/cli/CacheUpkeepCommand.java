// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Sessions;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.upkeep.CacheChange;
import org.potstill.spark.inspect.Selection;
import org.potstill.spark.settings.Settings;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** The common part of commands that clean up a cache, or the labels selected from it. */
abstract class CacheUpkeepCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Mixin
    private SelectionOptions labels;

    @Spec
    private CommandSpec spec;

    abstract CacheChange tidy(SparkSession spark, LabelStore store);

    @Override
    public final Integer call() {
        Settings settings = options.load(List.of());
        Selection selection = labels.selection(settings);
        return Sessions.run(spec.name(), settings, spark -> {
            for (LabelStore store : selection.stores(spark)) {
                spec.commandLine().getOut().println(store.labels().folder() + ": " + describe(tidy(spark, store)));
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
