// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.potstill.spark.SparkSettings;
import org.potstill.spark.corpus.Corpus;
import org.potstill.spark.corpus.Tokenization;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.settings.TeacherSections;
import org.potstill.spark.storage.FileSystems;
import org.potstill.spark.tracking.JobRun;
import org.potstill.spark.train.TrainJob;
import org.potstill.spark.write.WriteJob;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

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

    @Spec(Spec.Target.MIXEE)
    private CommandSpec command;

    /**
     * Loads the settings and checks those of all commands, so that a later step's errors show before the first step runs.
     *
     * @param written settings and options that name what the command writes
     */
    Settings load(List<String> written) {
        Map<String, String> paths = paths();
        Settings settings = Settings.load(files, overrides);
        settings.check(List.of(read -> PathSettings.check(read, paths), read -> PathSettings.checkApart(read, written, paths), SparkSettings::check,
                TeacherSections::check, SettingsOptions::checkTeachers, Corpus::check, Tokenization::of, LabelJob::check, WriteJob::check, PruneJob::check, TrainJob::check, EvaluateJob::check, JobRun::check,
                DistilCommand::check));
        if (!paths.isEmpty()) {
            Configuration hadoop = FileSystems.configuration(settings.spark());
            paths.forEach((option, path) -> PathSettings.require(option, path, hadoop));
        }
        return settings;
    }

    /** Checks the settings of each of several teachers. */
    private static void checkTeachers(Settings settings) {
        settings.teachers().forEach(name -> LabelJob.check(settings.ofTeacher(name)));
    }

    /** Returns the paths that options name, by option, but for {@code --conf}. */
    private Map<String, String> paths() {
        Map<String, String> paths = new TreeMap<>();
        for (OptionSpec option : command.options()) {
            if (List.of("PATH", "FILE").contains(option.paramLabel()) && option.getValue() instanceof String path) {
                paths.put(option.longestName(), path);
            }
        }
        return paths;
    }
}
