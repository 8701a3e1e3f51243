// SPDX-License-Identifier: Apache-2.0
package org.potstill.cli;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.MixtureEvaluateJob;
import org.potstill.spark.evaluate.MixtureEvaluateSummary;
import org.potstill.spark.evaluate.ModelScore;
import org.potstill.spark.evaluate.ServingSummary;
import org.potstill.spark.evaluate.TextScore;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.tracking.JobRun;
import picocli.CommandLine.Command;

@Command(name = "evaluate", description = {
    "Compares the student with its teacher on the held-out documents, and measures what each costs to serve.", "",
    "Quality: perplexity, next-token accuracy, agreement, KL(teacher || student) over whole distributions and calibration, beside bigram and "
        + "unigram counts of the training documents; on further texts (evaluate.corpora) and multiple-choice tasks (evaluate.tasks), too. "
        + "Cost: tokens/s, milliseconds per generated token and peak memory of both in the same engine, at the same precision."},
    footer = {"", "Needs teacher.path (or teachers), corpus.path and student.path.", "",
        "Example:", "  potstill evaluate --conf distil.conf --set evaluate.max-tokens=100000 --set evaluate.corpora.news=/data/news"})
final class EvaluateCommand extends JobCommand {
    @Override
    List<String> needs(Settings settings) {
        return List.of("teacher.path", "corpus.path", "student.path");
    }

    @Override
    List<String> writes() {
        return List.of("report.path", PathSettings.SCRATCH);
    }

    @Override
    Object run(SparkSession spark, Settings settings, JobRun record) {
        return settings.teachers().isEmpty() ? new EvaluateJob(spark, settings).run() : new MixtureEvaluateJob(spark, settings).run();
    }

    @Override
    String describe(Object summary) {
        List<String> lines = new ArrayList<>();
        if (summary instanceof MixtureEvaluateSummary mixture) {
            mixture.teachers().forEach((name, evaluate) -> {
                lines.add("against the teacher '" + name + "', on its documents:");
                describe(evaluate, lines);
            });
            mixture.leftOut().forEach((name, why) -> lines.add("not against the teacher '" + name + "': " + why));
            lines.add(String.format(Locale.ROOT, "all %,d held-out tokens, each against its document's teacher: agreement %.1f %%, KL %.3f", mixture.positions(),
                    100 * mixture.agreement(), mixture.kl()));
        } else {
            describe((EvaluateSummary) summary, lines);
        }
        return String.join(System.lineSeparator(), lines);
    }

    private static void describe(EvaluateSummary evaluate, List<String> lines) {
        describe("held-out documents", evaluate.heldOut(), lines);
        evaluate.corpora().forEach((name, score) -> describe(name, score, lines));
        evaluate.tasks().forEach((name, task) -> lines.add(String.format(Locale.ROOT,
                "%s, %,d questions: teacher %.1f %% (by byte %.1f %%), student %.1f %% (by byte %.1f %%), guessing %.1f %%", name, task.questions(),
                100 * task.teacher().accuracy(), 100 * task.teacher().normalisedAccuracy(), 100 * task.student().accuracy(),
                100 * task.student().normalisedAccuracy(), 100 * task.chance())));
        if (evaluate.serving() != null) {
            describe("teacher", evaluate.serving().teacher(), lines);
            describe("student", evaluate.serving().student(), lines);
        }
    }

    private static void describe(String text, TextScore score, List<String> lines) {
        lines.add(String.format(Locale.ROOT, "%s: %,d tokens, documents: %,d", text, score.positions(), score.documents()));
        describe("teacher", score.teacher(), lines);
        describe("student", score.student(), lines);
        describe("bigram counts", score.bigram(), lines);
        describe("unigram counts", score.unigram(), lines);
    }

    private static void describe(String model, ModelScore score, List<String> lines) {
        if (score != null) {
            lines.add(String.format(Locale.ROOT, "  %-14s perplexity %9.1f (%6.2f of the teacher's)   accuracy %5.1f %%   agreement %5.1f %%   KL %6.3f   ECE %5.1f %%",
                    model, score.perplexity().value(), score.perplexityRatio().value(), 100 * score.accuracy().value(), 100 * score.agreement().value(),
                    score.kl().value(), 100 * score.calibrationError().value()));
        }
    }

    private static void describe(String model, ServingSummary.ServedFigures served, List<String> lines) {
        List<String> parts = new ArrayList<>();
        if (served.tokensPerSecond() != null) {
            parts.add(String.format(Locale.ROOT, "%,.0f tokens/s", served.tokensPerSecond().median()));
        }
        if (served.millisecondsPerToken() != null) {
            parts.add(String.format(Locale.ROOT, "%,.1f ms per generated token", served.millisecondsPerToken().median()));
        }
        if (served.passPeakBytes() != null) {
            parts.add(String.format(Locale.ROOT, "%,.0f MB peak memory", served.passPeakBytes() / 1e6));
        }
        lines.add("served by " + served.engine() + ": " + model + " " + (parts.isEmpty() ? "not measured" : String.join(", ", parts)));
    }
}
