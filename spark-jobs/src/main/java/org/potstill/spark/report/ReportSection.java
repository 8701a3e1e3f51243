// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;

/** A part of the report page. To add one, implement this and name it in {@link Report#SECTIONS}, at its place on the page. */
interface ReportSection {
    /**
     * Writes the section.
     *
     * @param report all of {@code report.json}: a summary of each job's last run under the job's name; missing if it has not run
     */
    void write(JsonNode report, ReportPage page);
}
