// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;

/** Figures of the last {@code label} run and, if it found everything in the cache, of the last run that scored anything. */
final class LabellingSection implements ReportSection {
    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode label = report.path("label");
        JsonNode pass = report.path("pass");
        if (label.has("corpus")) {
            write(label, pass, "The teacher pass", page);
        }
        label.path("teachers").properties().forEach(teacher -> write(teacher.getValue(), pass.path("teachers").path(teacher.getKey()),
                "The pass of the teacher " + ReportPage.escape(teacher.getKey()), page));
    }

    private static void write(JsonNode l, JsonNode pass, String heading, ReportPage page) {
        JsonNode corpus = l.path("corpus");
        page.heading("%s", heading);
        page.table("", "");
        page.fact("teacher", "%s", ReportPage.escape(l.path("teacher").asText()));
        page.fact("labels", "%s", ReportPage.escape(l.path("cache").asText()));
        l.path("source").properties().forEach(said -> page.fact(said.getKey(), "%s",
                ReportPage.escape(said.getValue().isObject() ? said.getValue().toString() : said.getValue().asText())));
        if (l.path("reuse").path("taken").asLong() > 0) {
            page.fact("files or tables read in this run", "%,d", l.path("reuse").path("read").asLong());
            page.fact("files or tables unchanged since the last run", "%,d", l.path("reuse").path("taken").asLong());
        }
        page.fact("documents", "%,d", corpus.path("documents").asLong());
        page.fact("documents in quarantine", "%,d", corpus.path("unusable").asLong());
        page.fact("sequences in quarantine", "%,d", corpus.path("unscored").asLong());
        page.fact("documents held out", "%,d", corpus.path("heldOut").asLong());
        page.fact("target tokens for training", "%,d", corpus.path("positions").asLong());
        page.fact("tokens scored in this run", "%,d", l.path("scoredTokens").asLong());
        page.fact("seconds, including reading and tokenizing", "%,.0f", l.path("seconds").asDouble());
        if (pass.path("cache").equals(l.path("cache")) && pass.path("scoredTokens").asLong() > 0) {
            passed(page, pass, l.path("scoredTokens").asLong() == 0);
        }
        page.endTable();
    }

    private static void passed(ReportPage page, JsonNode l, boolean earlier) {
        double tokens = l.path("scoredTokens").asDouble();
        if (earlier) {
            page.endTable();
            page.paragraph("The last pass that scored anything:");
            page.table("", "");
            page.fact("tokens scored", "%,.0f", tokens);
            page.fact("seconds", "%,.0f", l.path("seconds").asDouble());
        }
        page.fact("tokens/s, all executors", "%,.0f", tokens / l.path("seconds").asDouble());
        HardwareFacts.write(page, l, "while the teacher was scoring", "tokens scored");
        page.fact("teacher's cross-entropy, nats per token", "%.3f", l.path("teacherLoss").asDouble());
        page.fact("teacher's own entropy, nats per token", "%.3f", l.path("teacherEntropy").asDouble());
        JsonNode precision = l.path("precision");
        if (precision.has("kl")) {
            String name = precision.path("precision").asText();
            page.fact("teacher's precision", "%s", name);
            page.fact("KL(fp32 ‖ " + name + "), nats, over " + String.format(Locale.ROOT, "%,d", precision.path("positions").asLong()) + " positions",
                    "%.3g", precision.path("kl").asDouble());
            page.fact("top-1 agreement with fp32, %", "%.1f", 100 * precision.path("agreement").asDouble());
        }
        page.fact("bytes per token in the cache", "%.1f", l.path("bytes").asDouble() / tokens);
        page.fact("files written", "%,d", l.path("files").asLong());
        page.fact("task seconds spent encoding and writing", "%,.1f", l.path("storing").asDouble());
        page.endTable();
        executors(page, l.path("executors"));
    }

    private static void executors(ReportPage page, JsonNode executors) {
        page.table("executor", "GPU", "tokens", "tokens/s while scoring", "model loads", "batches halved");
        for (JsonNode e : executors) {
            double tokens = e.path("tokens").asDouble();
            double seconds = e.path("seconds").asDouble();
            // Empty if the work is credited to another GPU address: on the CPU, all addresses share one teacher.
            String speed = seconds == 0 ? "" : String.format(Locale.ROOT, "%,.0f", tokens / seconds);
            page.row(ReportPage.escape(e.path("executor").asText()), e.path("gpu").asInt() < 0 ? "" : e.path("gpu").asText(),
                    String.format(Locale.ROOT, "%,.0f", tokens), speed, e.path("modelLoads").asText(), e.path("halvings").asText());
        }
    }
}
