// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.Locale;
import java.util.stream.Collectors;
import org.potstill.spark.api.Job;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.MixtureLabelSummary;
import org.potstill.spark.settings.Settings;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "label", description = {
    "Scores the corpus with the teacher and stores the soft targets in the cache.", "",
    "Scores only what the cache does not hold yet, and reads only files that have changed since the last run: run it after every change "
        + "of the corpus, or after a failure. A document "
        + "that cannot be used, or a sequence that the teacher cannot score, goes to the quarantine with its reason. The share "
        + "corpus.holdout of the documents is held out for evaluate."},
    footer = {"", "Needs teacher.path (or teachers), corpus.path and cache.path. The report goes to report.path or, by default, a folder in "
            + "student.path or cache.path.", "",
        "Example:", "  potstill label --conf distil.conf --set corpus.path=s3a://lake/articles --set targets.k=64"})
final class LabelCommand extends JobCommand {
    @Option(names = "--full", description = "Read and tokenize all of the corpus, also what has not changed since the last run (corpus.full).")
    private boolean full;

    LabelCommand() {
        super(Job.LABEL);
    }

    @Override
    Settings withOptions(Settings settings) {
        return full ? settings.with("corpus.full", true) : settings;
    }

    @Override
    String describe(Object summary) {
        return summary instanceof MixtureLabelSummary mixture ? mixture.teachers().entrySet().stream()
                .map(teacher -> teacher.getKey() + ": " + describe(teacher.getValue())).collect(Collectors.joining(System.lineSeparator()))
                : describe((LabelSummary) summary);
    }

    private static String describe(LabelSummary label) {
        String unchanged = label.reuse().taken() == 0 ? ""
                : String.format(Locale.ROOT, "; %,d of %,d files or tables were not read, as nothing in them has changed since the last run", label.reuse().taken(),
                        label.reuse().taken() + label.reuse().read());
        return String.format(Locale.ROOT, "scored %,d tokens in %.1f s; the cache has all %,d of the corpus; %,d of %,d documents and %,d sequences are in the quarantine%s",
                label.scoredTokens(), label.seconds(), label.corpus().positions(), label.corpus().unusable(), label.corpus().documents(), label.corpus().unscored(),
                unchanged);
    }
}
