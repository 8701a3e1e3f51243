package org.potstill.cli;

import java.util.ArrayList;
import java.util.List;
import org.potstill.spark.Settings;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.train.TrainJob;
import picocli.CommandLine.Option;

/** Where the settings of a command come from. */
final class SettingsOptions {
    @Option(names = "--conf", paramLabel = "FILE",
            description = "The settings, HOCON; a local file or any Hadoop path. May be repeated: a later one stands above the earlier.")
    private final List<String> files = new ArrayList<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE",
            description = "One setting, above the files'; may be repeated. The value is the text as it stands, or a JSON string where it is "
                + "wholly in double quotes. 'potstill defaults' prints every key.")
    private final List<String> overrides = new ArrayList<>();

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
    private boolean help;

    /** Those of all commands are looked at: what a later step cannot use is known before the first. */
    Settings load() {
        Settings settings = Settings.load(files, overrides);
        settings.check(List.of(Tokenization::of, LabelJob::check, PruneJob::check, TrainJob::check, EvaluateJob::check, DistilCommand::check));
        return settings;
    }
}
