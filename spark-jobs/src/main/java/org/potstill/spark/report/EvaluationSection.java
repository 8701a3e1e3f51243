// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Size, speed, memory and quality of both models, in a sentence, two figures and a table. */
final class EvaluationSection implements ReportSection {
    private static final int FEW = 10;
    private static final double LN2 = Math.log(2);
    private static final String[] MODELS = {"teacher", "student", "bigram", "unigram"};

    @Override
    public void write(JsonNode report, ReportPage page) {
        JsonNode evaluate = report.path("evaluate");
        if (evaluate.has("heldOut")) {
            write(evaluate, "", page);
        }
        if (!evaluate.has("teachers")) {
            return;
        }
        page.paragraph("The student has several teachers. Over all %,d held-out tokens, each compared with the teacher of its document, the two agree on the "
                + "most probable token at %.0f %% of positions, at a KL of %.3f nats per token.", evaluate.path("positions").asLong(),
                100 * evaluate.path("agreement").asDouble(), evaluate.path("kl").asDouble());
        evaluate.path("leftOut").properties().forEach(left -> page.paragraph("**Note:** not compared with the teacher %s: %s.", ReportPage.escape(left.getKey()),
                ReportPage.escape(left.getValue().asText())));
        evaluate.path("teachers").properties().forEach(teacher -> {
            page.heading("Compared with the teacher %s, on its documents", ReportPage.escape(teacher.getKey()));
            write(teacher.getValue(), teacher.getKey() + "-", page);
        });
    }

    /** @param prefix of the names of figures */
    private static void write(JsonNode e, String prefix, ReportPage page) {
        answer(e, page);
        Map<String, String> plots = new LinkedHashMap<>();
        plots(e).forEach((name, plot) -> plots.put(prefix + name, plot));
        page.figures(plots, List.of("The student's size, memory, time and accuracy as percentages of the teacher's",
                "Bits per token of teacher, student and n-gram counts on held-out documents"));
        table(e, page);
        texts(e, page);
        tasks(e, page);
        for (JsonNode note : e.path("notes")) {
            page.paragraph("**Note:** %s.", ReportPage.escape(note.asText()));
        }
    }

    private static void answer(JsonNode e, ReportPage page) {
        JsonNode student = e.path("heldOut").path("student");
        JsonNode serving = e.path("serving");
        List<String> costs = new ArrayList<>();
        if (e.path("teacher").path("parameters").asLong() > 0) {
            costs.add(String.format(Locale.ROOT, "has %.0f %% of its teacher's parameters", 100 * ratio(e.path("student"), e.path("teacher"), "parameters")));
        }
        if (serving.path("speedRatio").has("median")) {
            costs.add(String.format(Locale.ROOT, "runs %.2f times as fast", serving.path("speedRatio").path("median").asDouble()));
        }
        if (serving.path("teacher").path("passPeakBytes").asLong() > 0 && serving.path("student").path("passPeakBytes").asLong() > 0) {
            costs.add(String.format(Locale.ROOT, "needs %.0f %% of its memory", 100 * ratio(serving.path("student"), serving.path("teacher"), "passPeakBytes")));
        }
        String cost = costs.isEmpty() ? "" : "The student " + join(costs) + ". ";
        page.paragraph("%sOn held-out text, its perplexity is **%.2f times** the teacher's, its next-token accuracy is **%.0f %%** of the "
                + "teacher's, and the two agree on the most probable token at %.0f %% of positions.", cost, student.path("perplexityRatio").path("value").asDouble(),
                100 * student.path("accuracyShare").path("value").asDouble(), 100 * student.path("agreement").path("value").asDouble());
    }

    private static String join(List<String> parts) {
        return parts.size() == 1 ? parts.get(0) : String.join(", ", parts.subList(0, parts.size() - 1)) + " and " + parts.get(parts.size() - 1);
    }

    private static Map<String, String> plots(JsonNode e) {
        Map<String, String> plots = new LinkedHashMap<>();
        JsonNode heldOut = e.path("heldOut");
        JsonNode serving = e.path("serving");
        List<DotPlot.Row> rows = new ArrayList<>(List.of(DotPlot.Row.heading("Lower is better")));
        if (e.path("teacher").path("parameters").asLong() > 0) {
            rows.add(share("parameters", ratio(e.path("student"), e.path("teacher"), "parameters")));
        }
        if (serving.path("student").path("passPeakBytes").asLong() > 0 && serving.path("teacher").path("passPeakBytes").asLong() > 0) {
            rows.add(share("peak memory", ratio(serving.path("student"), serving.path("teacher"), "passPeakBytes")));
        }
        JsonNode speed = serving.path("speedRatio");
        if (speed.has("median")) {
            rows.add(time("time per pass", 1 / speed.path("median").asDouble(), 1 / speed.path("high").asDouble(), 1 / speed.path("low").asDouble()));
        }
        JsonNode time = serving.path("timeRatio");
        if (time.has("median")) {
            rows.add(time("time per token", time.path("median").asDouble(), time.path("low").asDouble(), time.path("high").asDouble()));
        }
        rows.add(DotPlot.Row.heading("Higher is better"));
        JsonNode accuracy = heldOut.path("student").path("accuracyShare");
        rows.add(new DotPlot.Row("accuracy", 100 * accuracy.path("value").asDouble(), percent(accuracy, "low"), percent(accuracy, "high"),
                String.format(Locale.ROOT, "%.0f %%", 100 * accuracy.path("value").asDouble()), "student"));
        double most = rows.stream().filter(row -> row.value() != null).mapToDouble(row -> Math.max(row.value(), row.high() == null ? 0 : row.high())).max().orElse(100);
        plots.put("student.svg", DotPlot.svg("Student relative to teacher", "% of the teacher's (dashed line)", rows, 0, Math.max(110, most), 100.0));

        List<DotPlot.Row> losses = new ArrayList<>();
        double min = Double.MAX_VALUE;
        double max = 0;
        for (String model : MODELS) {
            JsonNode perplexity = heldOut.path(model).path("perplexity");
            if (perplexity.has("value")) {
                double bits = Math.log(perplexity.path("value").asDouble()) / LN2;
                Double low = bits(perplexity, "low");
                Double high = bits(perplexity, "high");
                losses.add(new DotPlot.Row(name(model), bits, low, high, String.format(Locale.ROOT, "%.2f", bits),
                        model.equals("teacher") || model.equals("student") ? model : "other"));
                min = Math.min(min, low == null ? bits : low);
                max = Math.max(max, high == null ? bits : high);
            }
        }
        double margin = Math.max(0.1, 0.08 * (max - min));
        plots.put("prediction.svg", DotPlot.svg("Predicting held-out text", "bits per token (lower is better)", losses, min - margin, max + margin, null));
        return plots;
    }

    private static DotPlot.Row share(String label, double ratio) {
        return new DotPlot.Row(label, 100 * ratio, null, null, String.format(Locale.ROOT, "%.0f %%", 100 * ratio), "student");
    }

    private static DotPlot.Row time(String label, double ratio, double low, double high) {
        return new DotPlot.Row(label, 100 * ratio, 100 * low, 100 * high, String.format(Locale.ROOT, "%.0f %%", 100 * ratio), "student");
    }

    private static Double percent(JsonNode estimate, String end) {
        return estimate.path(end).isNumber() ? 100 * estimate.path(end).asDouble() : null;
    }

    private static Double bits(JsonNode estimate, String end) {
        return estimate.path(end).isNumber() ? Math.log(estimate.path(end).asDouble()) / LN2 : null;
    }

    private static String name(String model) {
        return model.endsWith("gram") ? model + " counts" : model;
    }

    private static void table(JsonNode e, ReportPage page) {
        JsonNode t = e.path("teacher");
        JsonNode s = e.path("student");
        JsonNode serving = e.path("serving");
        page.table("", "teacher", "student", "student / teacher");
        String of = t.path("parameters").asLong() == 0 ? "" : String.format(Locale.ROOT, "%.2f", ratio(s, t, "parameters"));
        page.row("parameters", number(t.path("parameters").asLong()), number(s.path("parameters").asLong()), of);
        served(e, page);
        // A ratio of different number formats would not compare the models.
        page.row("weights on disk, MB", stored(t), stored(s),
                t.path("stored").equals(s.path("stored")) ? String.format(Locale.ROOT, "%.2f", ratio(s, t, "bytes")) : "");
        serve(page, serving, "tokens/s, forward pass", "tokensPerSecond", "%,.0f", "speedRatio");
        serve(page, serving, "ms per token, generation", "millisecondsPerToken", "%,.1f", "timeRatio");
        memory(page, serving, "peak memory, forward pass, MB", "passPeakBytes");
        memory(page, serving, "peak memory, generation, MB", "generationPeakBytes");
        JsonNode h = e.path("heldOut");
        quality(page, h, "perplexity", "perplexity", "perplexityRatio", "%,.1f", 1);
        quality(page, h, "next-token accuracy, %", "accuracy", "accuracyShare", "%.1f", 100);
        quality(page, h, "calibration error (ECE), %", "calibrationError", null, "%.1f", 100);
        quality(page, h, "top-1 agreement, %", "agreement", null, "%.1f", 100);
        quality(page, h, "top-5 agreement, %", "agreementInFive", null, "%.1f", 100);
        quality(page, h, "KL(teacher ‖ student), nats per token", "kl", null, "%.3f", 1);
        page.endTable();
        how(e, h, serving, page);
    }

    private static void how(JsonNode e, JsonNode h, JsonNode serving, ReportPage page) {
        page.paragraph("**Quality** is measured on %s of %s, comparing both models' whole distributions in %s. %s Top-5 agreement means that the "
                + "teacher's most probable token is among the student's five most probable.", count(h.path("positions").asLong(), "token"),
                count(h.path("documents").asLong(), "held-out document"), e.path("precision").asText(),
                h.path("documents").asLong() == 1 ? "One document gives no interval." : "In brackets are 95 % bootstrap intervals over documents"
                        + (h.path("documents").asLong() < FEW ? "; they are rough with so few documents." : "."));
        if (serving.has("teacher")) {
            JsonNode engines = serving.path("teacher").path("engine");
            page.paragraph("**Speed and memory** are measured in one process per model that does nothing else (%s; %s; %s); the two take turns. A "
                    + "forward pass has %s in sequences of up to %,d; generation is greedy, one text at a time, on the CPU in %s. Figures are the median "
                    + "(lowest–highest) of %s and %s. Memory is the process's peak resident set, Java included.",
                    engines.equals(serving.path("student").path("engine")) ? engines.asText() : "teacher: " + engines.asText() + ", student: "
                            + serving.path("student").path("engine").asText(),
                    ReportPage.escape(serving.path("processor").asText().isEmpty() ? "processor unknown" : serving.path("processor").asText()),
                    count(serving.path("threads").asLong(), "thread"), count(serving.path("passTokens").asLong(), "token"),
                    serving.path("sequenceLength").asLong(), e.path("precision").asText().equals("int8") ? "int8" : "fp32", count(serving.path("teacher").path("tokensPerSecond").path("repeats").asLong(), "pass"),
                    count(serving.path("teacher").path("millisecondsPerToken").path("repeats").asLong(), "text"));
        }
    }

    private static void texts(JsonNode e, ReportPage page) {
        page.subheading("Compared with n-gram counts%s", e.path("corpora").isEmpty() ? "" : ", and on other text");
        models(page, "Held-out documents", e.path("heldOut"));
        e.path("corpora").properties().forEach(text -> models(page, ReportPage.escape(text.getKey()), text.getValue()));
        page.paragraph("Bigram and unigram counts are taken from the training documents and smoothed by Witten–Bell interpolation: they show how well "
                + "the frequencies of tokens and token pairs alone predict.%s", e.path("corpora").isEmpty()
                ? " The student was trained on text like this; set `evaluate.corpora` to evaluate it on other text." : "");
    }

    private static void models(ReportPage page, String text, JsonNode scores) {
        page.paragraph("**%s**: %s, %s", text, count(scores.path("documents").asLong(), "document"), count(scores.path("positions").asLong(), "token"));
        page.table("", "perplexity", "relative to teacher", "accuracy, %", "agreement, %", "KL, nats");
        for (String model : MODELS) {
            JsonNode m = scores.path(model);
            if (m.has("perplexity")) {
                page.row(name(model), value(m, "perplexity", "%,.1f", 1), value(m, "perplexityRatio", "%.2f", 1), value(m, "accuracy", "%.1f", 100),
                        value(m, "agreement", "%.1f", 100), value(m, "kl", "%.3f", 1));
            }
        }
        page.endTable();
    }

    private static void tasks(JsonNode e, ReportPage page) {
        if (e.path("tasks").isEmpty()) {
            return;
        }
        page.subheading("Tasks");
        page.table("task", "questions", "chance, %", "teacher, %", "student, %", "teacher by byte, %", "student by byte, %");
        e.path("tasks").properties().forEach(task -> {
            JsonNode t = task.getValue();
            page.row(ReportPage.escape(task.getKey()), number(t.path("questions").asLong()), String.format(Locale.ROOT, "%.1f", 100 * t.path("chance").asDouble()),
                    answers(t.path("teacher"), "accuracy"), answers(t.path("student"), "accuracy"), answers(t.path("teacher"), "normalisedAccuracy"),
                    answers(t.path("student"), "normalisedAccuracy"));
        });
        page.endTable();
        page.paragraph("Percentage of questions answered correctly, ± one standard error. A model's answer is the choice with the highest log-likelihood, or, "
                + "by byte, with the highest log-likelihood per byte.");
    }

    private static String answers(JsonNode answers, String field) {
        return String.format(Locale.ROOT, "%.1f ± %.1f", 100 * answers.path(field).asDouble(), 100 * answers.path(field + "Error").asDouble());
    }

    private static void served(JsonNode e, ReportPage page) {
        int bytes = switch (e.path("precision").asText()) {
            case "fp32" -> 4;
            case "fp16" -> 2;
            default -> 0;
        };
        long teacher = e.path("teacher").path("parameters").asLong();
        if (bytes > 0 && teacher > 0) {
            page.row("weights as served (" + e.path("precision").asText() + "), MB", String.format(Locale.ROOT, "%,.0f", bytes * teacher / 1e6),
                    String.format(Locale.ROOT, "%,.0f", bytes * e.path("student").path("parameters").asLong() / 1e6),
                    String.format(Locale.ROOT, "%.2f", ratio(e.path("student"), e.path("teacher"), "parameters")));
        }
    }

    private static void serve(ReportPage page, JsonNode serving, String label, String field, String format, String ratio) {
        JsonNode t = serving.path("teacher").path(field);
        JsonNode s = serving.path("student").path(field);
        if (t.has("median") && s.has("median")) {
            page.row(label, timing(t, format), timing(s, format), timing(serving.path(ratio), "%.2f"));
        }
    }

    private static String timing(JsonNode timing, String format) {
        return String.format(Locale.ROOT, format, timing.path("median").asDouble()) + (timing.path("repeats").asInt() == 1 ? "" : range(format, timing.path("low").asDouble(), timing.path("high").asDouble()));
    }

    private static void memory(ReportPage page, JsonNode serving, String label, String field) {
        JsonNode t = serving.path("teacher").path(field);
        JsonNode s = serving.path("student").path(field);
        if (t.asLong() > 0 && s.asLong() > 0) {
            page.row(label, String.format(Locale.ROOT, "%,.0f", t.asLong() / 1e6), String.format(Locale.ROOT, "%,.0f", s.asLong() / 1e6),
                    String.format(Locale.ROOT, "%.2f", s.asDouble() / t.asDouble()));
        }
    }

    private static void quality(ReportPage page, JsonNode heldOut, String label, String field, String share, String format, double factor) {
        page.row(label, share == null && !field.equals("calibrationError") ? "" : value(heldOut.path("teacher"), field, format, factor),
                value(heldOut.path("student"), field, format, factor), share == null ? "" : value(heldOut.path("student"), share, "%.2f", 1));
    }

    /** Formats an interval; the word joiners keep it on one line. */
    private static String range(String format, double low, double high) {
        return String.format(Locale.ROOT, " (" + format + "\u2060–\u2060" + format + ")", low, high);
    }

    private static String value(JsonNode model, String field, String format, double factor) {
        JsonNode estimate = model.path(field);
        String value = String.format(Locale.ROOT, format, factor * estimate.path("value").asDouble());
        if (!estimate.path("low").isNumber() || estimate.path("low").equals(estimate.path("high"))) {
            return value;
        }
        return value + range(format, factor * estimate.path("low").asDouble(), factor * estimate.path("high").asDouble());
    }

    private static String stored(JsonNode model) {
        String as = model.path("stored").asText();
        return String.format(Locale.ROOT, "%,.0f%s", model.path("bytes").asLong() / 1e6, as.isEmpty() ? "" : " (" + ReportPage.escape(as) + ")");
    }

    private static double ratio(JsonNode a, JsonNode b, String field) {
        return a.path(field).asDouble() / b.path(field).asDouble();
    }

    private static String number(long n) {
        return n == 0 ? "not known" : String.format(Locale.ROOT, "%,d", n);
    }

    static String count(long n, String noun) {
        return String.format(Locale.ROOT, "%,d %s%s", n, noun, n == 1 ? "" : noun.endsWith("s") ? "es" : "s");
    }
}
