// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;

/** Figures and samples of the last {@code write} run. */
final class WritingSection implements ReportSection {
    /** Characters of a message that are shown. */
    private static final int SHOWN = 1500;

    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode w = report.path("write");
        if (w.isMissingNode()) {
            return;
        }
        page.heading("Answers that the teacher wrote");
        page.table("", "");
        page.fact("teacher", "%s", ReportPage.escape(w.path("teacher").asText()));
        page.fact("conversations", "%s", ReportPage.escape(w.path("path").asText()));
        page.fact("documents", "%,d", w.path("documents").asLong());
        page.fact("documents in quarantine", "%,d", w.path("unusable").asLong());
        page.fact("prompts", "%,d", w.path("prompts").asLong());
        page.fact("prompts that the teacher could not answer", "%,d", w.path("unwritten").asLong());
        page.fact("answers that the teacher ended", "%,d", w.path("stopped").asLong());
        page.fact("answers cut off by the limit", "%,d", w.path("truncated").asLong());
        page.fact("empty answers", "%,d", w.path("empty").asLong());
        page.fact("conversations published", "%,d", w.path("conversations").asLong());
        long all = w.path("stopped").asLong() + w.path("truncated").asLong() + w.path("empty").asLong();
        page.fact("tokens per answer", "%,.1f", w.path("tokens").asDouble() / Math.max(1, all));
        page.fact("answers written in this run", "%,d", w.path("written").asLong());
        if (w.path("written").asLong() > 0) {
            page.fact("tokens written in this run", "%,d", w.path("newTokens").asLong());
            page.fact("seconds of writing", "%,.0f", w.path("writing").asDouble());
            page.fact("tokens/s, all executors", "%,.0f", w.path("newTokens").asDouble() / w.path("writing").asDouble());
        }
        page.endTable();
        if (!w.path("samples").isEmpty()) {
            page.textTable("prompt", "answer", "ended by");
            for (JsonNode sample : w.path("samples")) {
                page.row(shown(sample.path("prompt")), shown(sample.path("answer")),
                        sample.path("finish").asText().equals("length") ? "the limit" : "the teacher");
            }
            page.endTable();
        }
    }

    private static String shown(JsonNode text) {
        String all = text.asText();
        return ReportPage.escape(all.length() <= SHOWN ? all : all.substring(0, all.offsetByCodePoints(0, all.codePointCount(0, SHOWN))) + " …");
    }
}
