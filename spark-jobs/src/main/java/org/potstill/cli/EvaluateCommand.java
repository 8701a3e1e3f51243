package org.potstill.cli;

import java.util.Locale;
import org.apache.spark.sql.SparkSession;
import org.potstill.spark.Settings;
import org.potstill.spark.evaluate.EvaluateJob;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.ModelScore;
import picocli.CommandLine.Command;

@Command(name = "evaluate", description = {
    "Sets the student against its teacher on the held-out documents.", "",
    "Perplexity and next-token accuracy of both against the text, how often they choose the same token, KL(teacher || student) over "
        + "full distributions, and the speed of each, in one run."},
    footer = {"", "Needs teacher.path, corpus.path and student.path.", "",
        "Example:", "  potstill evaluate --conf distil.conf --set evaluate.max-tokens=100000"})
final class EvaluateCommand extends JobCommand {
    @Override
    Object run(SparkSession spark, Settings settings) {
        return new EvaluateJob(spark, settings).run();
    }

    @Override
    String describe(Object summary) {
        EvaluateSummary evaluate = (EvaluateSummary) summary;
        return String.format(Locale.ROOT, "%,d held-out tokens%n%s%n%s%n%s", evaluate.positions(),
                line(evaluate.teacher()), line(evaluate.student()), line(evaluate.untrained()));
    }

    private static String line(ModelScore score) {
        return String.format(Locale.ROOT, "%-18s perplexity %10.1f   accuracy %5.1f %%   agreement %5.1f %%   KL %6.3f%s", score.name(),
                score.perplexity(), 100 * score.accuracy(), 100 * score.agreement(), score.kl(),
                score.tokensPerSecond() == 0 ? "" : String.format(Locale.ROOT, "   %,.0f tokens/s", score.tokensPerSecond()));
    }
}
