// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Sizes before and after pruning, and the cost of each removed layer compared with evenly spaced layers. */
final class PruningSection implements ReportSection {
    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode p = report.path("prune");
        if (p.isMissingNode()) {
            return;
        }
        JsonNode before = p.path("before");
        JsonNode after = p.path("after");
        page.heading("Pruning");
        page.paragraph("The student starts as %s without the parts that matter least on the training documents. Before training, "
                + "KL(model ‖ pruned model) is %.3f nats per token over %,d of their positions.", ReportPage.escape(p.path("model").asText()),
                p.path("kl").asDouble(), p.path("positions").asLong());
        page.table("", "before", "after");
        for (String[] size : new String[][] {{"parameters", "parameters"}, {"layers", "layers"}, {"hidden size", "hiddenSize"},
            {"feed-forward neurons", "intermediateSize"}, {"heads", "heads"}, {"key/value heads", "kvHeads"}}) {
            page.row(size[0], number(before.path(size[1])), number(after.path(size[1])));
        }
        page.endTable();
        JsonNode removals = p.path("removals");
        if (!removals.isEmpty()) {
            removals(page, before.path("layers").asInt(), removals, p.path("evenlySpaced"));
        }
    }

    private static void removals(ReportPage page, int layers, JsonNode removals, JsonNode evenlySpaced) {
        double[] x = new double[removals.size() + 1];
        double[] chosen = new double[x.length];
        double[] spaced = new double[x.length];
        List<String> order = new ArrayList<>();
        for (int i = 1; i < x.length; i++) {
            x[i] = i;
            chosen[i] = removals.get(i - 1).path("kl").asDouble();
            spaced[i] = evenlySpaced.path(i - 1).path("kl").asDouble();
            order.add(removals.get(i - 1).path("layer").asText());
        }
        page.figures(Map.of("pruning.svg", LinePlot.svg("Cost of removing layers", "layers removed", "KL, nats per token, before training",
                List.of(new LinePlot.Line("evenly spaced", x, spaced, "other"), new LinePlot.Line("chosen", x, chosen, "student")), 0, null, "")),
                List.of("KL by number of layers removed, chosen and evenly spaced"));
        page.paragraph("KL is that of the full-width model without these layers. Of %d layers, numbered from 0, these were removed, in this order: %s.", layers, String.join(", ", order));
        page.table("layers left", "layer removed", "KL", "KL, evenly spaced");
        for (int i = 1; i < x.length; i++) {
            page.row(String.valueOf(layers - i), order.get(i - 1), String.format(Locale.ROOT, "%.3f", chosen[i]),
                    String.format(Locale.ROOT, "%.3f", spaced[i]));
        }
        page.endTable();
    }

    private static String number(JsonNode value) {
        return String.format(Locale.ROOT, "%,d", value.asLong());
    }
}
