// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;

/** Loss curves and figures of the training run. */
final class TrainingSection implements ReportSection {
    private static final int MAX_POINTS = 200;
    private static final double MARGIN = 0.25;

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
            LinePlot.Line crossEntropy = line(history, "cross-entropy", loss -> loss.path("crossEntropy").asDouble());
            double lowest = Arrays.stream(crossEntropy.y()).reduce(floor > 0 ? floor : Double.MAX_VALUE, Math::min);
            Map<String, String> plots = new LinkedHashMap<>();
            plots.put("kl.svg", LinePlot.svg("Divergence from the teacher", "training tokens", "KL(teacher ‖ student), nats per token",
                    List.of(line(history, "KL", loss -> loss.path("kl").asDouble())), 0, null, ""));
            plots.put("cross-entropy.svg", LinePlot.svg("Predicting the training text", "training tokens", "cross-entropy, nats per token",
                    List.of(crossEntropy), Math.max(0, Math.floor(lowest - MARGIN)), floor > 0 ? floor : null, "the teacher"));
            page.figures(plots, List.of("KL from the teacher by training tokens", "Cross-entropy by training tokens"));
            if (report.path("runs").path("train").path("settings").path("targets.draws").asInt() > 0) {
                page.paragraph("Here KL is measured against the cached draws from the teacher's distribution, so it includes their sampling noise: it "
                        + "stays above 0 even for a student identical to the teacher and is not comparable with the evaluation's KL. Its gradient is unbiased.");
            }
        }
        JsonNode last = history.path(history.size() - 1);
        page.table("", "");
        page.fact("parameters", "%,d", t.path("parameters").asLong());
        page.fact("workers averaged", "%,d", t.path("workers").asLong());
        page.fact("averaging rounds", "%,d", t.path("rounds").asLong());
        page.fact("training tokens, all epochs", "%,d", t.path("positions").asLong());
        page.fact("seconds", "%,.0f", t.path("seconds").asDouble());
        page.fact("tokens/s, all workers", "%,.0f", t.path("positions").asDouble() / t.path("seconds").asDouble());
        HardwareFacts.write(page, t, "in averaging rounds", "training tokens");
        exchange(page, t.path("exchange"));
        page.fact("cross-entropy, first step", "%.3f", history.path(0).path("crossEntropy").asDouble());
        page.fact("cross-entropy, last step", "%.3f", last.path("crossEntropy").asDouble());
        page.fact("KL, first step", "%.3f", history.path(0).path("kl").asDouble());
        page.fact("KL, last step", "%.3f", last.path("kl").asDouble());
        page.fact("teacher's cross-entropy on the same text", "%.3f", t.path("teacherLoss").asDouble());
        page.endTable();
    }

    private static void exchange(ReportPage page, JsonNode exchange) {
        if (!exchange.has("bytes")) {
            return;
        }
        page.fact("MB that executors exchanged in a round", "%,.1f", exchange.path("bytes").asDouble() / 1e6);
        page.fact("bytes received in a round, per parameter and executor", "%.1f", exchange.path("bytesPerParameter").asDouble());
        page.fact("time that workers waited for the exchange, % of a round", "%.1f", 100 * exchange.path("waitedShare").asDouble());
    }

    /** Averages equal runs of steps, so that a long training still draws a readable line. */
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
