// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.potstill.spark.Sessions;
import org.potstill.spark.inspect.Selection;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.sql.TableExport;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

@Command(name = "export", description = {
    "Writes the cache's rows to a table, one row per sequence, without those that other files hold now.", "",
    "A table that exists gets the rows whose keys it lacks: run it again after each label run."},
    footer = {"", "Needs cache.path, and a catalog that Spark knows by spark.sql.catalog.NAME or a metastore.", "",
        "Example:", "  potstill cache export --conf distil.conf --to-table lake.ml.soft_labels --format iceberg --decoded"})
final class CacheExportCommand implements Callable<Integer> {
    @Mixin
    private SettingsOptions options;

    @Mixin
    private SelectionOptions labels;

    @Option(names = "--to-table", paramLabel = "NAME", required = true, description = "The table, such as catalog.schema.name.")
    private String table;

    @Option(names = "--format", paramLabel = "FORMAT", defaultValue = "",
            description = "Format of a new table: delta, iceberg, parquet or another that Spark knows; by default the catalog's own.")
    private String format;

    @Option(names = "--decoded", description = "Write the ids and probabilities of each position instead of the encoded targets.")
    private boolean decoded;

    @Spec
    private CommandSpec spec;

    @Override
    public Integer call() {
        Settings settings = options.load(List.of());
        Selection selection = labels.selection(settings);
        boolean guest = Sessions.isGuest();
        return Sessions.runWithTables("cache export", settings, format, spark -> {
            TableExport export = new TableExport(spark, table, format, decoded);
            if (!guest) {
                export.requireKept();
            }
            spec.commandLine().getOut().println(String.format(Locale.ROOT, "%s: %,d new rows", table, export.write(selection.stores(spark))));
            spec.commandLine().getOut().flush();
            return 0;
        });
    }
}
