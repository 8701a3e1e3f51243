// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import org.apache.spark.sql.SparkSession;
import org.potstill.spark.cache.LabelStore;
import org.potstill.spark.cache.upkeep.CacheChange;
import org.potstill.spark.cache.upkeep.CacheCompaction;
import org.potstill.spark.errors.JobErrors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "compact", description = {
    "Merges the many small files that label runs leave into a few large ones, one row per sequence, sorted by key.", "",
    "Jobs may read and write the cache meanwhile. The old files are no longer read, and stay until 'prune' deletes them."},
    footer = {"", "Needs cache.path.", "", "Example:", "  potstill cache compact --conf distil.conf"})
final class CacheCompactCommand extends CacheUpkeepCommand {
    @Option(names = "--target-mib", paramLabel = "MIB", defaultValue = "" + (CacheCompaction.TARGET_BYTES >> 20),
            description = "Approximate size of the new files (default: ${DEFAULT-VALUE}).")
    private int targetMib;

    @Override
    CacheChange tidy(SparkSession spark, LabelStore store) {
        if (targetMib < 1) {
            throw JobErrors.badOption("--target-mib", targetMib + " is less than 1");
        }
        return new CacheCompaction(spark, (long) targetMib << 20).compact(store);
    }
}
