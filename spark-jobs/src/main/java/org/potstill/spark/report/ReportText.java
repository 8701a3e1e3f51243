package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;
import java.util.Set;

/** The report as Markdown. */
final class ReportText {
    private final JsonNode report;
    private final Set<String> plots;
    private final StringBuilder out = new StringBuilder("# Potstill report\n");

    ReportText(JsonNode report, Set<String> plots) {
        this.report = report;
        this.plots = plots;
    }

    String markdown() {
        if (report.has("evaluate")) {
            evaluation(report.path("evaluate"));
        }
        if (report.has("train")) {
            training(report.path("train"));
        }
        if (report.has("label")) {
            labelling(report.path("label"), report.path("pass"));
        }
        return out.toString();
    }

    private void evaluation(JsonNode e) {
        JsonNode teacher = e.path("teacher");
        JsonNode student = e.path("student");
        out.append("\n## The student against its teacher\n\n");
        line("With %.1f %% of the teacher's parameters and at %.1f times its speed, the student reaches %.0f %% of its next-token "
                + "accuracy; its perplexity is %.1f times the teacher's (%.1f times before training).",
                100 * ratio(student, teacher, "parameters"), ratio(student, teacher, "tokensPerSecond"),
                100 * ratio(student, teacher, "accuracy"), ratio(student, teacher, "perplexity"),
                ratio(e.path("untrained"), teacher, "perplexity"));
        out.append("\n| | teacher | student | untrained student |\n|---|---:|---:|---:|\n");
        row(e, "perplexity", "perplexity", "%,.1f", 1);
        row(e, "next-token accuracy, %", "accuracy", "%.1f", 100);
        row(e, "same first choice as the teacher, %", "agreement", "%.1f", 100);
        row(e, "KL(teacher ‖ model), nats per token", "kl", "%.3f", 1);
        row(e, "parameters", "parameters", "%,.0f", 1);
        row(e, "bytes of weights as stored", "bytes", "%,.0f", 1);
        row(e, "tokens/s, forward pass", "tokensPerSecond", "%,.0f", 1);
        out.append('\n');
        line("%,d tokens of %,d held-out documents, which the student never saw; full distributions of both models, one sequence "
                + "at a time, %d threads each, in one run.", e.path("positions").asLong(), e.path("documents").asLong(), e.path("threads").asInt());
        out.append('\n');
        plot("perplexity.png", "perplexity of the models");
        plot("accuracy.png", "next-token accuracy of the models");
        plot("kl.png", "divergence of the models from the teacher");
        plot("speed.png", "speed of the models");
    }

    private void training(JsonNode t) {
        out.append("\n## Training\n\n");
        JsonNode history = t.path("history");
        JsonNode last = history.path(history.size() - 1);
        out.append("| | |\n|---|---:|\n");
        fact("parameters", "%,d", t.path("parameters").asLong());
        fact("workers averaged", "%,d", t.path("workers").asLong());
        fact("averaging rounds", "%,d", t.path("rounds").asLong());
        fact("tokens learnt from, all epochs", "%,d", t.path("positions").asLong());
        fact("seconds", "%,.0f", t.path("seconds").asDouble());
        fact("tokens/s, all workers", "%,.0f", t.path("positions").asDouble() / t.path("seconds").asDouble());
        fact("cross-entropy, first step", "%.3f", history.path(0).path("crossEntropy").asDouble());
        fact("cross-entropy, last step", "%.3f", last.path("crossEntropy").asDouble());
        fact("KL, first step", "%.3f", history.path(0).path("kl").asDouble());
        fact("KL, last step", "%.3f", last.path("kl").asDouble());
        fact("teacher's cross-entropy on the same text", "%.3f", t.path("teacherLoss").asDouble());
        out.append('\n');
        plot("loss.png", "loss of each step");
    }

    /** @param pass the last run that scored anything: this one, or an earlier one; missing where there was none */
    private void labelling(JsonNode l, JsonNode pass) {
        JsonNode corpus = l.path("corpus");
        out.append("\n## The teacher pass (last run of label)\n\n| | |\n|---|---:|\n");
        fact("teacher", "%s", l.path("teacher").asText());
        fact("labels", "%s", l.path("cache").asText());
        fact("documents", "%,d", corpus.path("documents").asLong());
        fact("documents in the quarantine", "%,d", corpus.path("unusable").asLong());
        fact("sequences in the quarantine", "%,d", corpus.path("unscored").asLong());
        fact("held out", "%,d", corpus.path("heldOut").asLong());
        fact("tokens to learn from", "%,d", corpus.path("positions").asLong());
        fact("tokens scored in this run", "%,d", l.path("scoredTokens").asLong());
        fact("seconds, reading and tokenizing included", "%,.0f", l.path("seconds").asDouble());
        if (pass.path("cache").equals(l.path("cache"))) {
            passed(pass, l.path("scoredTokens").asLong() == 0);
        }
    }

    private void passed(JsonNode l, boolean earlier) {
        double tokens = l.path("scoredTokens").asDouble();
        if (earlier) {
            out.append("\nThe last pass that scored anything:\n\n| | |\n|---|---:|\n");
            fact("tokens scored", "%,.0f", tokens);
            fact("seconds", "%,.0f", l.path("seconds").asDouble());
        }
        fact("tokens/s, all executors", "%,.0f", tokens / l.path("seconds").asDouble());
        fact("teacher's cross-entropy, nats per token", "%.3f", l.path("teacherLoss").asDouble());
        fact("teacher's own entropy, nats per token", "%.3f", l.path("teacherEntropy").asDouble());
        JsonNode precision = l.path("precision");
        if (precision.has("kl")) {
            String name = precision.path("precision").asText();
            fact("teacher's precision", "%s", name);
            fact("KL(fp32 ‖ " + name + "), nats, over %,d positions".formatted(precision.path("positions").asLong()),
                    "%.3g", precision.path("kl").asDouble());
            fact("same first choice as in fp32, %", "%.1f", 100 * precision.path("agreement").asDouble());
        }
        fact("bytes per token in the cache", "%.1f", l.path("bytes").asDouble() / tokens);
        fact("files written", "%,d", l.path("files").asLong());
        fact("seconds of tasks spent encoding and writing", "%,.1f", l.path("storing").asDouble());
        executors(l.path("executors"));
    }

    private void executors(JsonNode executors) {
        out.append("\n| executor | GPU | tokens | tokens/s while scoring | model loads | batches halved |\n|---|---|---:|---:|---:|---:|\n");
        for (JsonNode e : executors) {
            double tokens = e.path("tokens").asDouble();
            double seconds = e.path("seconds").asDouble();
            // None where another address has the work to its account: on the CPU they share one teacher.
            String speed = seconds == 0 ? "" : String.format(Locale.ROOT, "%,.0f", tokens / seconds);
            out.append(String.format(Locale.ROOT, "| %s | %s | %,.0f | %s | %d | %d |\n", e.path("executor").asText(),
                    e.path("gpu").asInt() < 0 ? "" : e.path("gpu").asText(), tokens, speed,
                    e.path("modelLoads").asInt(), e.path("halvings").asInt()));
        }
    }

    private static double ratio(JsonNode a, JsonNode b, String field) {
        return a.path(field).asDouble() / b.path(field).asDouble();
    }

    private void row(JsonNode evaluate, String title, String field, String format, double factor) {
        out.append("| ").append(title);
        for (String model : new String[] {"teacher", "student", "untrained"}) {
            double value = evaluate.path(model).path(field).asDouble() * factor;
            boolean unmeasured = model.equals("untrained") && (field.equals("bytes") || field.equals("tokensPerSecond"));
            out.append(" | ").append(unmeasured ? "" : String.format(Locale.ROOT, format, value));
        }
        out.append(" |\n");
    }

    private void fact(String title, String format, Object... values) {
        out.append("| ").append(title).append(" | ").append(String.format(Locale.ROOT, format, values)).append(" |\n");
    }

    private void line(String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    private void plot(String file, String alternative) {
        if (plots.contains(file)) {
            out.append("![").append(alternative).append("](").append(file).append(")\n");
        }
    }
}
