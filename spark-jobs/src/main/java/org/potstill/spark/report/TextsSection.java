// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;

/** Beginnings of held-out documents as both models continue them. */
final class TextsSection implements ReportSection {
    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode texts = report.path("evaluate").path("serving").path("texts");
        if (texts.isEmpty()) {
            return;
        }
        page.heading("How both continue a text");
        page.paragraph("Beginnings of held-out documents; each model always takes its most probable token.");
        for (JsonNode text : texts) {
            page.quote("*" + ReportPage.escape(text.path("beginning").asText()) + "* …");
            page.textTable("teacher", "student");
            page.row("… " + ReportPage.escape(text.path("teacher").asText()), "… " + ReportPage.escape(text.path("student").asText()));
            page.endTable();
        }
    }
}
