// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** How training went. */
final class TrainingSection implements ReportSection {
    private static final int MAX_POINTS = 200;

    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode t = report.path("train");
        if (t.isMissingNode()) {
            return;
        }
        page.heading("Training");
        JsonNode history = t.path("history");
        if (history.size() > 1) {
            double floor = t.path("teacherLoss").asDouble();
            Map<String, String> plots = new LinkedHashMap<>();
            plots.put("kl.svg", LinePlot.svg("Distance from the teacher", "tokens learnt from", "KL(teacher ‖ student), nats per token",
                    List.of(line(history, "KL", loss -> loss.path("kl").asDouble())), 0, null, ""));
            plots.put("cross-entropy.svg", LinePlot.svg("Predicting the training text", "tokens learnt from", "cross-entropy, nats per token",
                    List.of(line(history, "cross-entropy", loss -> loss.path("crossEntropy").asDouble())), 0, floor > 0 ? floor : null, "the teacher"));
            page.figures(plots, List.of("KL of each step", "cross-entropy of each step"));
            if (report.path("runs").path("train").path("settings").path("targets.draws").asInt() > 0) {
                page.paragraph("KL is measured against the draws that stand for the teacher's distribution: it also holds their own spread, "
                        + "and does not fall to 0 for a student that is the teacher. Its gradient is unbiased.");
            }
        }
        JsonNode last = history.path(history.size() - 1);
        page.table("", "");
        page.fact("parameters", "%,d", t.path("parameters").asLong());
        page.fact("workers averaged", "%,d", t.path("workers").asLong());
        page.fact("averaging rounds", "%,d", t.path("rounds").asLong());
        page.fact("tokens learnt from, all epochs", "%,d", t.path("positions").asLong());
        page.fact("seconds", "%,.0f", t.path("seconds").asDouble());
        page.fact("tokens/s, all workers", "%,.0f", t.path("positions").asDouble() / t.path("seconds").asDouble());
        page.fact("cross-entropy, first step", "%.3f", history.path(0).path("crossEntropy").asDouble());
        page.fact("cross-entropy, last step", "%.3f", last.path("crossEntropy").asDouble());
        page.fact("KL, first step", "%.3f", history.path(0).path("kl").asDouble());
        page.fact("KL, last step", "%.3f", last.path("kl").asDouble());
        page.fact("teacher's cross-entropy on the same text", "%.3f", t.path("teacherLoss").asDouble());
        page.endTable();
    }

    /** Means over equal runs of steps, so that a long training still draws a line. */
    private static LinePlot.Line line(JsonNode history, String name, ToDoubleFunction<JsonNode> value) {
        int group = (history.size() + MAX_POINTS - 1) / MAX_POINTS;
        List<Double> x = new ArrayList<>();
        List<Double> y = new ArrayList<>();
        double learnt = 0;
        for (int from = 0; from < history.size(); from += group) {
            double weighted = 0;
            double weight = 0;
            for (int i = from; i < Math.min(history.size(), from + group); i++) {
                double positions = history.get(i).path("positions").asDouble();
                weighted += positions * value.applyAsDouble(history.get(i));
                weight += positions;
            }
            learnt += weight;
            x.add(learnt);
            y.add(weighted / weight);
        }
        return new LinePlot.Line(name, x.stream().mapToDouble(v -> v).toArray(), y.stream().mapToDouble(v -> v).toArray(), "student");
    }
}
