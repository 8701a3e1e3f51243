// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Locale;
import java.util.Map;

/** Date, versions, machine and settings of each job's last run. */
final class RunsSection implements ReportSection {
    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode runs = report.path("runs");
        if (runs.isEmpty()) {
            return;
        }
        page.heading("About these runs");
        page.textTable("job", "finished", "versions", "machine");
        JsonNode last = null;
        for (Map.Entry<String, JsonNode> run : runs.properties()) {
            JsonNode r = run.getValue();
            page.row(ReportPage.escape(run.getKey()), ReportPage.escape(r.path("finished").asText().replace("T", " ").replace("Z", " UTC")), ReportPage.escape(String.format(Locale.ROOT,
                    "Potstill %s, Spark %s, Java %s", r.path("potstill").asText(), r.path("spark").asText(), r.path("java").asText())),
                    ReportPage.escape(r.path("master").asText() + ", driver with " + EvaluationSection.count(r.path("processors").asLong(), "processor") + ", "
                            + r.path("system").asText()));
            last = last == null || r.path("finished").asText().compareTo(last.path("finished").asText()) > 0 ? r : last;
        }
        page.endTable();
        page.paragraph("Settings given to the last run; all others have their defaults:");
        page.textTable("setting", "value");
        last.path("settings").properties().forEach(setting ->
                page.row(ReportPage.escape(setting.getKey()), ReportPage.escape(setting.getValue().asText())));
        page.endTable();
    }
}
