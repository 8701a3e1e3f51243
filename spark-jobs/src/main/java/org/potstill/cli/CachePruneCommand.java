// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.time.Duration;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.upkeep.CacheChange;
import org.potstill.spark.cache.upkeep.CachePruning;
import org.potstill.spark.errors.JobErrors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "prune", description = {
    "Removes from the cache what the corpus no longer needs: rows that the last label run did not use, snapshots and quarantines "
        + "of earlier runs, and leftovers of killed jobs.", "",
    "They are hidden from readers first, and deleted by a prune at least --retention-hours later, so that readers can finish. Anything "
        + "younger stays, since a label run may be using it; a removed row that is needed again is scored again."},
    footer = {"", "Needs cache.path.", "", "Example:", "  potstill cache prune --conf distil.conf --dry-run"})
final class CachePruneCommand extends CacheUpkeepCommand {
    @Option(names = "--dry-run", description = "Only count: bytes and files after are estimates.")
    private boolean dryRun;

    @Option(names = "--retention-hours", paramLabel = "HOURS", defaultValue = "" + CachePruning.RETENTION_HOURS,
            description = "Longer than any job takes (default: ${DEFAULT-VALUE}).")
    private long retentionHours;

    @Override
    CacheChange tidy(SparkSession spark, LabelStore store) {
        if (retentionHours < 0 || retentionHours > 1_000_000) {
            throw JobErrors.badOption("--retention-hours", retentionHours + " does not lie between 0 and 1000000");
        }
        return new CachePruning(spark, Duration.ofHours(retentionHours), dryRun).prune(store);
    }
}
