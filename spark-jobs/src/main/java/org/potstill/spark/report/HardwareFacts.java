// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import org.potstill.spark.hardware.ThreeDigits;

/** Rows on the use of the devices and the cost of a job, each where the summary has it. */
final class HardwareFacts {
    private HardwareFacts() {
    }

    /**
     * Adds the rows to a table of two columns.
     *
     * @param summary of the job
     * @param when    the time that the share is of
     * @param tokens  the tokens that are paid for
     */
    static void write(ReportPage page, JsonNode summary, String when, String tokens) {
        JsonNode hardware = summary.path("hardware");
        if (hardware.path("share").isNumber()) {
            page.fact("model FLOPs " + when + ", % of the devices' peak", "%.1f", 100 * hardware.path("share").asDouble());
            page.fact("peak of a device, TFLOP/s", "%s", ThreeDigits.of(hardware.path("peak").asDouble() / 1e12));
        }
        List<String> devices = new ArrayList<>();
        hardware.path("devices").forEach(device -> devices.add(ReportPage.escape(device.asText())));
        if (!devices.isEmpty()) {
            page.fact("devices", "%s", String.join("; ", devices));
        }
        if (summary.path("cost").has("perMillionTokens")) {
            page.fact("cost per million " + tokens, "%s", ThreeDigits.of(summary.path("cost").path("perMillionTokens").asDouble()));
        }
    }
}
