// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.errors.MixtureErrors;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.tracking.JobRun;
import org.potstill.spark.write.WriteJob;
import org.potstill.spark.write.WriteSummary;
import picocli.CommandLine.Command;

@Command(name = "write", description = {
    "Has the teacher answer prompts, and stores the conversations as a corpus for label and train.", "",
    "Each document of the corpus is a user's message, which the teacher's chat template turns into a prompt. Writes only answers that "
        + "write.path does not hold yet: run it after every change of the corpus, or after a failure. Answers that max-new-tokens cut "
        + "off, and empty ones, are marked and left out of the conversations, unless write.keep-truncated or write.keep-empty is set."},
    footer = {"", "Needs teacher.path, corpus.path and write.path. The report goes to report.path or, by default, a folder in "
            + "student.path, cache.path or write.path.", "",
        "Example:", "  potstill write --conf distil.conf --set corpus.path=prompts.jsonl --set write.path=s3a://lake/answers",
        "  potstill label --conf distil.conf --set corpus.path=s3a://lake/answers"})
final class WriteCommand extends JobCommand {
    @Override
    List<String> writes() {
        return List.of(PathSettings.ANSWERS, "report.path", PathSettings.SCRATCH);
    }

    @Override
    List<String> needs(Settings settings) {
        return List.of("teacher.path", "corpus.path", "write.path");
    }

    @Override
    Object run(SparkSession spark, Settings settings, JobRun record) {
        if (!settings.teachers().isEmpty()) {
            throw MixtureErrors.onlyOne("write");
        }
        return new WriteJob(spark, settings).run();
    }

    @Override
    String describe(Object summary) {
        WriteSummary write = (WriteSummary) summary;
        return String.format(Locale.ROOT, "wrote %,d answers, %,d tokens, in %.1f s; %,d conversations about %,d prompts are in %s; %,d answers were "
                + "cut off, %,d are empty; %,d documents and %,d prompts are in the quarantine",
                write.written(), write.newTokens(), write.writing(), write.conversations(), write.prompts(), write.path(), write.truncated(),
                write.empty(), write.unusable(), write.unwritten());
    }
}
