package org.potstill.cli;

import java.util.ArrayList;
import java.util.List;
import org.potstill.spark.Settings;
import picocli.CommandLine.Option;

/** Where the settings of a command come from. */
final class SettingsOptions {
    @Option(names = "--conf", paramLabel = "FILE",
            description = "The settings, HOCON; a local file or any Hadoop path. May be repeated: a later one stands above the earlier.")
    private final List<String> files = new ArrayList<>();

    @Option(names = "--set", paramLabel = "KEY=VALUE",
            description = "One setting, above the files'; may be repeated. 'potstill defaults' prints every key.")
    private final List<String> overrides = new ArrayList<>();

    @Option(names = {"-h", "--help"}, usageHelp = true, description = "Show this help and exit.")
    private boolean help;

    Settings load() {
        return Settings.load(files, overrides);
    }
}
