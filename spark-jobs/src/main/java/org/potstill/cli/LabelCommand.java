// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.label.LabelJob;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.MixtureLabelJob;
import org.potstill.spark.label.MixtureLabelSummary;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.tracking.JobRun;
import picocli.CommandLine.Command;

@Command(name = "label", description = {
    "Scores the corpus with the teacher and stores the soft targets in the cache.", "",
    "Scores only what the cache does not hold yet: run it after every change of the corpus, or after a failure. A document "
        + "that cannot be used, or a sequence that the teacher cannot score, goes to the quarantine with its reason. The share "
        + "corpus.holdout of the documents is held out for evaluate."},
    footer = {"", "Needs teacher.path (or teachers), corpus.path and cache.path. The report goes to report.path or, by default, a folder in "
            + "student.path or cache.path.", "",
        "Example:", "  potstill label --conf distil.conf --set corpus.path=s3a://lake/articles --set targets.k=64"})
final class LabelCommand extends JobCommand {
    @Override
    List<String> needs(Settings settings) {
        return List.of("teacher.path", "corpus.path", "cache.path");
    }

    @Override
    Object run(SparkSession spark, Settings settings, JobRun record) {
        return settings.teachers().isEmpty() ? new LabelJob(spark, settings).run() : new MixtureLabelJob(spark, settings).run();
    }

    @Override
    String describe(Object summary) {
        return summary instanceof MixtureLabelSummary mixture ? mixture.teachers().entrySet().stream()
                .map(teacher -> teacher.getKey() + ": " + describe(teacher.getValue())).collect(Collectors.joining(System.lineSeparator()))
                : describe((LabelSummary) summary);
    }

    private static String describe(LabelSummary label) {
        return String.format(Locale.ROOT, "scored %,d tokens in %.1f s; the cache has all %,d of the corpus; %,d of %,d documents and %,d sequences are in the quarantine",
                label.scoredTokens(), label.seconds(), label.corpus().positions(), label.corpus().unusable(), label.corpus().documents(), label.corpus().unscored());
    }
}
