// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.prune.PruneJob;
import org.potstill.spark.prune.PruneSummary;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.tracking.JobRun;
import picocli.CommandLine.Command;

@Command(name = "prune", description = {
    "Prunes a model to a smaller one for a student to start from, guided by the corpus.", "",
    "Removes layers one by one, always the one that costs the least KL on a sample of the training documents; ranks neurons, "
        + "heads and channels by the size of their activations there. The result is a Hugging Face folder for student.init. An "
        + "interrupted run resumes where it stopped."},
    footer = {"", "Needs corpus.path, prune.path, teacher.path or prune.model, and a target: prune.layers, prune.parameters, "
        + "prune.intermediate-size, prune.kv-heads or prune.hidden-size. The report goes to report.path or, by default, beside the student, "
        + "the cache or the pruned model.", "",
        "Example:", "  potstill prune --conf distil.conf --set prune.path=pruned --set prune.parameters=0.75",
        "  potstill train --conf distil.conf --set student.init=pruned"})
final class PruneCommand extends JobCommand {
    @Override
    List<String> needs(Settings settings) {
        return List.of("corpus.path", "prune.path",
                settings.string("prune.model").isBlank() && settings.teachers().isEmpty() ? "teacher.path" : "prune.model");
    }

    @Override
    Object run(SparkSession spark, Settings settings, JobRun record) {
        return new PruneJob(spark, settings).run();
    }

    @Override
    String describe(Object summary) {
        PruneSummary prune = (PruneSummary) summary;
        return String.format(Locale.ROOT, "kept %d of %d layers and %,d of %,d parameters, at a KL of %.3f nats per token, in %.1f s; the model is in %s",
                prune.after().layers(), prune.before().layers(), prune.after().parameters(), prune.before().parameters(), prune.kl(),
                prune.seconds(), prune.path());
    }
}
