// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.tracking.JobRun;
import org.potstill.spark.train.TrainJob;
import org.potstill.spark.train.TrainSummary;
import org.potstill.student.loss.StepLoss;
import picocli.CommandLine.Command;

@Command(name = "train", description = {
    "Trains the student on the soft labels in the cache, with parameter averaging.", "",
    "In each round, every worker takes train.local-steps steps on its own batches, and the results are averaged, weighted by tokens. "
        + "An interrupted run, started again with the same settings, resumes from its last checkpoint."},
    footer = {"", "Needs cache.path and student.path. teacher.path (or teachers) is optional: with it, a cache of another teacher "
        + "is refused.", "",
        "Example:", "  potstill train --conf distil.conf --set train.epochs=3 --set train.workers=8"})
final class TrainCommand extends JobCommand {
    @Override
    List<String> needs(Settings settings) {
        return List.of("cache.path", "student.path");
    }

    @Override
    Object run(SparkSession spark, Settings settings, JobRun record) {
        return new TrainJob(spark, settings, record::learnt).run();
    }

    @Override
    String describe(Object summary) {
        TrainSummary train = (TrainSummary) summary;
        StepLoss last = train.history().get(train.history().size() - 1);
        return String.format(Locale.ROOT, "trained %,d parameters on %,d tokens in %.1f s; last step: KL %.3f, cross-entropy %.3f; the student is in %s",
                train.parameters(), train.positions(), train.seconds(), last.kl(), last.crossEntropy(), train.student());
    }
}
