// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;

/** Beginnings of held-out documents, continued by both models. */
final class TextsSection implements ReportSection {
    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode evaluate = report.path("evaluate");
        write(evaluate, "", page);
        evaluate.path("teachers").properties().forEach(teacher -> write(teacher.getValue(), ", teacher " + ReportPage.escape(teacher.getKey()), page));
    }

    private static void write(JsonNode evaluate, String which, ReportPage page) {
        JsonNode texts = evaluate.path("serving").path("texts");
        if (texts.isEmpty()) {
            return;
        }
        page.heading("Sample continuations%s", which);
        page.paragraph("Both models continue the beginnings of held-out documents by greedy decoding: they always take the most probable token.");
        for (JsonNode text : texts) {
            page.quote("*" + ReportPage.escape(text.path("beginning").asText()) + "* …");
            page.textTable("teacher", "student");
            page.row("… " + ReportPage.escape(text.path("teacher").asText()), "… " + ReportPage.escape(text.path("student").asText()));
            page.endTable();
        }
    }
}
