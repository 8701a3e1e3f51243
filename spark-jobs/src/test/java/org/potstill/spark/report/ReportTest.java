package org.potstill.spark.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.Settings;
import org.potstill.spark.evaluate.EvaluateSummary;
import org.potstill.spark.evaluate.ModelScore;
import org.potstill.spark.label.CorpusCount;
import org.potstill.spark.label.ExecutorShare;
import org.potstill.spark.label.LabelSummary;
import org.potstill.spark.label.PrecisionCost;
import org.potstill.spark.train.TrainSummary;
import org.potstill.student.StepLoss;

class ReportTest {
    @TempDir
    private Path folder;

    @Test
    void theSectionsOfTheThreeJobsStandInOneReportWithFiguresAndPlots() throws Exception {
        Report report = new Report(Settings.load(List.of(), List.of("student.path=" + folder)), new Configuration());
        report.put("label", new LabelSummary(new CorpusCount(20, 1, 2, 300, 150_000, 3), 150_000, 16_000_000, 19, 300.0, 1.5, 3.0, 2.75, "teacher.gguf",
                new PrecisionCost("int8", 0.0072, 0.9336, 2048),
                List.of(new ExecutorShare("<b>0</b>", 3, 100_000, 100, 1, 2),
                        new ExecutorShare("1", -1, 50_000, 100, 1, 0)), "cache"));
        List<StepLoss> history = new ArrayList<>();
        for (int i = 0; i < 900; i++) {
            history.add(new StepLoss(9 * Math.exp(-i / 300.0), 8 * Math.exp(-i / 300.0), 10 * Math.exp(-i / 300.0) + 1, 256));
        }
        report.put("train", new TrainSummary(7_000_000, 2, 113, 900 * 256, 200, 3.0, history, "student"));
        String page = report.put("evaluate", new EvaluateSummary(2, 6000, 2,
                new ModelScore("teacher", 134_515_008, 98_000_000, 20.5, 0.45, 1, 0, 600),
                new ModelScore("student", 7_000_000, 28_000_000, 400.5, 0.25, 0.3, 2.5, 6000),
                new ModelScore("untrained student", 7_000_000, 0, 50_000, 0.0001, 0.0001, 8.5, 0)));
        assertTrue(page.endsWith("/report/report.html"));
        String markdown = Files.readString(folder.resolve("report/report.md"));
        for (String expected : List.of("With 5.2 % of the teacher's parameters and at 10.0 times its speed", "| perplexity | 20.5 | 400.5 | 50,000.0 |",
                "150,000", "![loss of each step](loss.png)", "| tokens/s, all executors | 500 |", "| bytes per token in the cache | 106.7 |",
                "| 3 | 100,000 | 1,000 | 1 | 2 |", "| 1 |  | 50,000 | 500 | 1 | 0 |",
                "| teacher's own entropy, nats per token | 2.750 |", "| KL(fp32 ‖ int8), nats, over 2,048 positions | 0.00720 |", "| sequences in the quarantine | 3 |")) {
            assertTrue(markdown.contains(expected), expected + " in\n" + markdown);
        }
        String html = Files.readString(folder.resolve("report/report.html"));
        assertTrue(html.contains("<td align=\"right\">400.5</td>"), html);
        assertFalse(html.contains("<b>0</b>"), "what comes from outside must not become markup");
        assertEquals(5, html.split("src=\"data:image/png;base64,").length - 1);
        for (String plot : List.of("loss.png", "perplexity.png", "accuracy.png", "kl.png", "speed.png")) {
            assertTrue(Files.size(folder.resolve("report").resolve(plot)) > 2000, plot);
        }
        assertTrue(Files.readString(folder.resolve("report/report.json")).contains("\"agreement\" : 0.3"));
    }

    @Test
    void aRunThatFindsAllInTheCacheKeepsTheFiguresOfThePassBefore() throws Exception {
        Report report = new Report(Settings.load(List.of(), List.of("cache.path=" + folder)), new Configuration());
        CorpusCount corpus = new CorpusCount(20, 1, 2, 300, 150_000, 3);
        report.put("label", new LabelSummary(corpus, 150_000, 15_000_000, 19, 300.0, 1.5, 3.0, 2.75, "teacher.gguf", null,
                List.of(new ExecutorShare("7", -1, 150_000, 100, 1, 0)), "cache"));
        report.put("label", new LabelSummary(corpus, 0, 0, 0, 6.0, 0, Double.NaN, Double.NaN, "teacher.gguf", null, List.of(), "cache"));
        String markdown = Files.readString(folder.resolve("report/report.md"));
        for (String expected : List.of("| tokens scored in this run | 0 |", "The last pass that scored anything", "| tokens scored | 150,000 |",
                "| tokens/s, all executors | 500 |", "| bytes per token in the cache | 100.0 |", "| 7 |  | 150,000 | 1,500 | 1 | 0 |")) {
            assertTrue(markdown.contains(expected), expected + " in\n" + markdown);
        }
        report.put("label", new LabelSummary(corpus, 0, 0, 0, 6.0, 0, Double.NaN, Double.NaN, "other.gguf", null, List.of(), "other"));
        assertFalse(Files.readString(folder.resolve("report/report.md")).contains("| tokens scored |"), "another cache's pass");
    }
}
