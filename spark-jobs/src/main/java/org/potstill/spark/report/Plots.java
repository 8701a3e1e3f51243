package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.BasicStroke;
import java.awt.Color;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The report's plots, as PNG, by file name. */
final class Plots {
    private static final Color[] COLORS = {new Color(0xB5651D), new Color(0x2E6F8E), new Color(0x6A8F3C), new Color(0x888888)};
    private static final int WIDTH = 840;
    private static final int MAX_POINTS = 400;

    private Plots() {
    }

    static Map<String, byte[]> of(JsonNode report) {
        Map<String, byte[]> plots = new LinkedHashMap<>();
        JsonNode train = report.path("train");
        if (train.path("history").size() > 1) {
            plots.put("loss.png", png(losses(train)));
        }
        JsonNode evaluate = report.path("evaluate");
        if (evaluate.has("student")) {
            plots.put("perplexity.png", png(bars(evaluate, "Perplexity (log scale)", "perplexity", 1, true)));
            plots.put("accuracy.png", png(bars(evaluate, "Next-token accuracy, %", "accuracy", 100, false)));
            plots.put("kl.png", png(bars(evaluate, "KL(teacher ‖ model), nats per token", "kl", 1, false)));
            plots.put("speed.png", png(bars(evaluate, "Forward pass, tokens per second", "tokensPerSecond", 1, false)));
        }
        return plots;
    }

    private static XYChart losses(JsonNode train) {
        XYChart chart = new XYChartBuilder().width(WIDTH).height(400).title("Training loss")
                .xAxisTitle("tokens learnt from").yAxisTitle("nats per token").build();
        style(chart.getStyler());
        chart.getStyler().setDefaultSeriesRenderStyle(org.knowm.xchart.XYSeries.XYSeriesRenderStyle.Line);
        chart.getStyler().setXAxisDecimalPattern("#,##0").setLegendPosition(Styler.LegendPosition.InsideNE);
        List<Double> tokens = line(chart, train, "cross-entropy with the text", loss -> loss.path("crossEntropy").asDouble());
        line(chart, train, "KL(teacher ‖ student)", loss -> loss.path("kl").asDouble());
        double floor = train.path("teacherLoss").asDouble();
        chart.addSeries("the teacher's cross-entropy", new double[] {tokens.get(0), tokens.get(tokens.size() - 1)},
                new double[] {floor, floor}).setMarker(SeriesMarkers.NONE).setLineColor(COLORS[3])
                .setLineStyle(new BasicStroke(1.5f, BasicStroke.CAP_BUTT, BasicStroke.JOIN_MITER, 4, new float[] {6, 4}, 0));
        return chart;
    }

    /** Means over equal runs of steps, so that a long training still draws a line. */
    private static List<Double> line(XYChart chart, JsonNode train, String name, ToDoubleFunction<JsonNode> value) {
        JsonNode history = train.path("history");
        int group = Math.max(1, (history.size() + MAX_POINTS - 1) / MAX_POINTS);
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
        chart.addSeries(name, x, y).setMarker(SeriesMarkers.NONE);
        return x;
    }

    private static CategoryChart bars(JsonNode evaluate, String title, String field, double factor, boolean logarithmic) {
        List<String> names = new ArrayList<>();
        List<Double> values = new ArrayList<>();
        for (String model : List.of("teacher", "student", "untrained")) {
            double value = evaluate.path(model).path(field).asDouble() * factor;
            if (value > 0 || model.equals("student")) {
                names.add(evaluate.path(model).path("name").asText());
                values.add(value);
            }
        }
        CategoryChart chart = new CategoryChartBuilder().width(WIDTH / 2).height(300).title(title).build();
        style(chart.getStyler());
        chart.getStyler().setYAxisLogarithmic(logarithmic).setLegendVisible(false);
        chart.getStyler().setAvailableSpaceFill(0.5).setLabelsVisible(true).setLabelsPosition(logarithmic ? 0.5 : 0.9);
        // Bars begin here; a perplexity is never below one.
        chart.getStyler().setYAxisMin(logarithmic ? 1.0 : 0.0);
        chart.getStyler().setDecimalPattern("#,##0.#");
        chart.addSeries(field, names, values);
        return chart;
    }

    private static void style(Styler styler) {
        styler.setSeriesColors(COLORS);
        styler.setChartBackgroundColor(Color.WHITE);
        styler.setPlotBackgroundColor(Color.WHITE);
        styler.setChartTitleBoxVisible(false);
        styler.setLegendBorderColor(Color.WHITE);
    }

    private static byte[] png(Chart<?, ?> chart) {
        try {
            return BitmapEncoder.getBitmapBytes(chart, BitmapEncoder.BitmapFormat.PNG);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
