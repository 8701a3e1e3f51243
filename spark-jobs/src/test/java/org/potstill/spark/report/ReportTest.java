// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.xml.parsers.DocumentBuilderFactory;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.evaluate.Estimate;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.ModelFacts;
import org.potstill.spark.evaluate.ModelScore;
import org.potstill.spark.evaluate.ServingSummary;
import org.potstill.spark.evaluate.TaskScore;
import org.potstill.spark.evaluate.TextScore;
import org.potstill.spark.hardware.Cost;
import org.potstill.spark.hardware.DeviceShare;
import org.potstill.spark.label.CorpusCount;
import org.potstill.spark.label.CorpusReuse;
import org.potstill.spark.label.ExecutorShare;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.PrecisionCost;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;
import org.potstill.spark.train.ExchangeSummary;
import org.potstill.spark.train.TrainSummary;
import org.potstill.student.loss.StepLoss;

class ReportTest {
    private static final JsonNode SOURCE = HadoopFolder.JSON.createObjectNode().put("corpus.table", "lake.docs");

    @TempDir
    private Path folder;

    @Test
    void oneReportShowsAllJobsWithFiguresAndPlots() throws Exception {
        Report report = new Report(Settings.load(List.of(), List.of("student.path=" + folder)), new Configuration());
        report.put("label", new LabelSummary(SOURCE, new CorpusCount(20, 1, 2, 300, 150_000, 3), 150_000, 16_000_000, 19, 300.0, 1.5, 3.0, 2.75, "teacher.gguf",
                new PrecisionCost("int8", 0.0072, 0.9336, 2048),
                List.of(new ExecutorShare("<b>0</b>", 3, 100_000, 100, 1, 2),
                        new ExecutorShare("1", -1, 50_000, 100, 1, 0)), "cache", new CorpusReuse(2, 0),
                new DeviceShare(3e15, 0.4123, 989e12, Set.of("NVIDIA H100 80GB HBM3, fp16")), new Cost(0.2, 0.4, 2.6789)));
        List<StepLoss> history = new ArrayList<>();
        for (int i = 0; i < 900; i++) {
            history.add(new StepLoss(9 * Math.exp(-i / 300.0), 8 * Math.exp(-i / 300.0), 10 * Math.exp(-i / 300.0) + 1, 256));
        }
        report.put("train", new TrainSummary(7_000_000, 2, 113, 900 * 256, 200, 3.0, history, "student", Set.of("512-bit"),
                new DeviceShare(1e15, 0.0512, 0.1e12, Set.of("A processor, 2 threads, fp32, measured")), new ExchangeSummary(113, 168e6, 11.9, 0.034), new Cost(1, 0.25, 0.0123)));
        String page = report.put("evaluate", evaluation());
        assertTrue(page.endsWith("/report/report.html"));
        String markdown = Files.readString(folder.resolve("report/report.md")).replace("\u2060", "");
        for (String expected : List.of("The student has 5 % of its teacher's parameters, runs 9.50 times as fast and needs 25 % of its memory.",
                "its perplexity is **1.50 times** the teacher's", "| perplexity | 20.0 (18.0–22.0) | 30.0 (27.0–33.0) | 1.50 (1.40–1.60) |",
                "| tokens/s, forward pass | 600 (500–700) | 5,700 (5,000–6,000) | 9.50 (9.00–10.00) |", "| weights on disk, MB | 98 (Q4\\_1) | 28 (F32) |  |", "| weights as served (fp32), MB | 538 | 28 | 0.05 |",
                "**Held-out documents**: 3 documents, 6,000 tokens", "| bigram counts | 200.0", "**news**: 1 document, 700 tokens",
                "| facts | 40 | 25.0 | 50.0 ± 8.0 |", "4 passages are left out", "> *Fellow \\| citizens, \\<b\\>* …",
                "![KL from the teacher by training tokens](kl.svg)", "150,000", "| tokens/s, all executors | 500 |", "| bytes per token in the cache | 106.7 |",
                "| 3 | 100,000 | 1,000 | 1 | 2 |", "| 1 |  | 50,000 | 500 | 1 | 0 |", "| student.path |",
                "| teacher's own entropy, nats per token | 2.750 |", "| KL(fp32 ‖ int8), nats, over 2,048 positions | 0.00720 |", "| sequences in quarantine | 3 |",
                "| model FLOPs while the teacher was scoring, % of the devices' peak | 41.2 |", "| peak of a device, TFLOP/s | 989 |",
                "| devices | NVIDIA H100 80GB HBM3, fp16 |", "| cost per million tokens scored | 2.68 |",
                "| model FLOPs in averaging rounds, % of the devices' peak | 5.1 |", "| peak of a device, TFLOP/s | 0.100 |", "| MB that executors exchanged in a round | 168.0 |",
                "| bytes received in a round, per parameter and executor | 11.9 |", "| time that workers waited for the exchange, % of a round | 3.4 |",
                "| cost per million training tokens | 0.0123 |")) {
            assertTrue(markdown.contains(expected), expected + " in\n" + markdown);
        }
        assertTrue(markdown.startsWith("# A student of teacher\n\nThe student has"), "results come first");
        String html = Files.readString(folder.resolve("report/report.html"));
        assertTrue(html.contains(" data-label=\"student\">30.0 <span class=\"interval\">(27.0\u2060–\u206033.0)</span></td>"), html);
        assertFalse(html.contains("<b>"), "untrusted text must not become markup");
        assertEquals(4, html.split("<svg ").length - 1);
        for (String plot : List.of("student.svg", "prediction.svg", "kl.svg", "cross-entropy.svg")) {
            DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(folder.resolve("report").resolve(plot).toFile());
        }
        assertTrue(Files.readString(folder.resolve("report/report.json")).contains("\"perplexityRatio\""));
    }

    @Test
    void aReportWithoutSpeedOrCountsShowsTheRest() throws Exception {
        EvaluateSummary all = evaluation();
        TextScore heldOut = new TextScore(1, 500, all.heldOut().teacher(), all.heldOut().student(), null, null);
        new Report(Settings.load(List.of(), List.of("student.path=" + folder)), new Configuration()).put("evaluate", new EvaluateSummary(
                new ModelFacts("t", 0, 9, ""), all.student(), "fp32", heldOut, Map.of(), Map.of(), null, all.seconds(), List.of()));
        String markdown = Files.readString(folder.resolve("report/report.md"));
        assertTrue(markdown.contains("\n\nOn held-out text"), markdown);
        assertTrue(markdown.contains("500 tokens of 1 held-out document, comparing"), markdown);
        assertFalse(markdown.contains("tokens/s") || markdown.contains("| bigram counts"), markdown);
    }

    private static EvaluateSummary evaluation() {
        TextScore heldOut = new TextScore(3, 6000, score(20, 1), score(30, 1.5), score(800, 40), score(200, 10));
        ServingSummary serving = new ServingSummary("A processor", 2, 512, 256,
                new ServingSummary.ServedFigures("ONNX Runtime, cpu, fp32", new ServingSummary.Timing(600, 500, 700, 5), 800_000_000L,
                        new ServingSummary.Timing(40, 38, 45, 3), 900_000_000L),
                new ServingSummary.ServedFigures("ONNX Runtime, cpu, fp32", new ServingSummary.Timing(5700, 5000, 6000, 5), 200_000_000L,
                        new ServingSummary.Timing(5, 4, 6, 3), 210_000_000L),
                new ServingSummary.Timing(9.5, 9, 10, 5), new ServingSummary.Timing(0.125, 0.1, 0.15, 3),
                List.of(new ServingSummary.Continuation("a.txt", "Fellow | citizens, <b>", "of the Senate", "of | the\nHouse")));
        TaskScore.Answers answers = new TaskScore.Answers(0.5, 0.08, 0.45, 0.08);
        return new EvaluateSummary(new ModelFacts("teacher.gguf", 134_515_008, 98_000_000, "Q4_1"), new ModelFacts("student", 7_000_000, 28_000_000, "F32"),
                "fp32", heldOut, Map.of("news", new TextScore(1, 700, score(50, 1), score(150, 3), null, null)),
                Map.of("facts", new TaskScore(40, 0.25, answers, answers)), serving, new EvaluateSummary.Seconds(8, 1, 0.5, 20, 40),
                List.of("4 passages are left out"));
    }

    private static ModelScore score(double perplexity, double ratio) {
        return new ModelScore(new Estimate(perplexity, 0.9 * perplexity, 1.1 * perplexity), new Estimate(ratio, ratio - 0.1, ratio + 0.1),
                new Estimate(0.3, 0.29, 0.31), new Estimate(0.8, 0.75, 0.85), new Estimate(0.5, 0.49, 0.51), new Estimate(0.7, 0.69, 0.71),
                new Estimate(0.6, 0.59, 0.61), new Estimate(0.02, 0.01, 0.03));
    }

    @Test
    void aRunThatFindsEverythingInTheCacheKeepsTheFiguresOfTheLastPass() throws Exception {
        Report report = new Report(Settings.load(List.of(), List.of("cache.path=" + folder)), new Configuration());
        CorpusCount corpus = new CorpusCount(20, 1, 2, 300, 150_000, 3);
        report.put("label", new LabelSummary(SOURCE, corpus, 150_000, 15_000_000, 19, 300.0, 1.5, 3.0, 2.75, "teacher.gguf", null,
                List.of(new ExecutorShare("7", -1, 150_000, 100, 1, 0)), "cache", new CorpusReuse(2, 0), new DeviceShare(3e15, null, null, Set.of("a card")), null));
        report.put("label", new LabelSummary(SOURCE, corpus, 0, 0, 0, 6.0, 0, Double.NaN, Double.NaN, "teacher.gguf", null, List.of(), "cache", new CorpusReuse(2, 0), null, null));
        String markdown = Files.readString(folder.resolve("report/report.md"));
        for (String expected : List.of("| tokens scored in this run | 0 |", "The last pass that scored anything", "| tokens scored | 150,000 |",
                "| tokens/s, all executors | 500 |", "| bytes per token in the cache | 100.0 |", "| 7 |  | 150,000 | 1,500 | 1 | 0 |")) {
            assertTrue(markdown.contains(expected), expected + " in\n" + markdown);
        }
        assertTrue(markdown.contains("| devices | a card |") && !markdown.contains("FLOP") && !markdown.contains("cost"), markdown);
        report.put("label", new LabelSummary(SOURCE, corpus, 0, 0, 0, 6.0, 0, Double.NaN, Double.NaN, "other.gguf", null, List.of(), "other", new CorpusReuse(2, 0), null, null));
        assertFalse(Files.readString(folder.resolve("report/report.md")).contains("| tokens scored |"), "another cache's pass");
    }
}
