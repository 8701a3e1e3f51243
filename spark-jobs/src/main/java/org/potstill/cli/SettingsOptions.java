// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.ArrayList;
import java.util.List;
import org.potstill.spark.Platform;
import org.potstill.spark.SparkSettings;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.train.TrainJob;
import org.potstill.spark.write.WriteJob;
import picocli.CommandLine.Option;

/** Options that supply the settings of a command. */
final class SettingsOptions {
    @Option(names = "--conf", paramLabel = "FILE",
            description = "Settings in HOCON: a local file or any Hadoop path. May be repeated; later files override earlier ones.")
    private final List<String> files = new ArrayList<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE",
            description = "One setting, which overrides the files. May be repeated. The value is taken literally, or as a JSON string if "
                + "it is entirely in double quotes. 'potstill defaults' prints every key.")
    private final List<String> overrides = new ArrayList<>();

    // Picocli reads it.
    @SuppressWarnings("UnusedVariable")
    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
    private boolean help;

    /** Loads the settings and checks those of all commands, so that a later step's errors show before the first step runs. */
    Settings load() {
        Settings settings = Settings.load(files, overrides);
        settings.check(List.of(SparkSettings::check, Platform::checkPaths, Tokenization::of, LabelJob::check, WriteJob::check, PruneJob::check, TrainJob::check, EvaluateJob::check, DistilCommand::check));
        return settings;
    }
}
