// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.HadoopFolder;

/**
 * The report folder. {@code report.json} has a summary of each job's last run. After every run, {@code report.md}, its figures and
 * {@code report.html} (one file, figures inside) are rendered from it.
 */
public final class Report {
    /** Name of the file with the figures of all jobs. */
    public static final String DATA = "report.json";
    private static final String PAGE = "report.html";
    /** Sections in the order of the page: results first, then their background. */
    private static final List<ReportSection> SECTIONS = List.of(new EvaluationSection(), new TextsSection(), new TrainingSection(),
            new PruningSection(), new LabellingSection(), new WritingSection(), new RunsSection());

    private final HadoopFolder folder;
    private final Settings settings;

    public Report(Settings settings, Configuration hadoop) {
        this.settings = settings;
        this.folder = new HadoopFolder("report", path(settings), hadoop);
    }

    /** Returns {@code report.path} if set, otherwise a folder in the student's, the cache's, the pruned model's or the conversations'. */
    private static String path(Settings settings) {
        if (!settings.string("report.path").isBlank()) {
            return settings.string("report.path");
        }
        String beside = Stream.of("student.path", "cache.path", "prune.path", "write.path").filter(key -> !settings.string(key).isBlank())
                .findFirst().orElse("student.path");
        // Among conversations, which are a corpus, it must not be taken for one of them.
        return new Path(settings.required(beside), beside.equals("write.path") ? "_report" : "report").toString();
    }

    /** Checks, before any work is done, that {@code report.path}, if set, is writable and not on a full disk. */
    public void requireWritable() {
        if (!settings.string("report.path").isBlank()) {
            folder.requireWritable();
        }
    }

    /**
     * Replaces the summary of a job and renders the report again.
     *
     * @param job     the job's name, which is the summary's key in {@code report.json}
     * @param summary a value that Jackson can write as JSON
     * @return the path of {@code report.html}
     */
    public String put(String job, Object summary) {
        folder.requireWritable();
        ObjectNode data = folder.has(DATA) ? (ObjectNode) folder.readJson(DATA) : HadoopFolder.JSON.createObjectNode();
        data.set(job, HadoopFolder.JSON.valueToTree(summary));
        data.withObject("/runs").set(job, run());
        if (data.path(job).path("scoredTokens").asLong() > 0) {
            // Kept for later runs that find everything in the cache and so have no figures of their own.
            data.set("pass", data.get(job));
        }
        folder.writeJson(DATA, data);
        ReportPage page = new ReportPage();
        String title = title(data);
        page.title("%s", ReportPage.escape(title));
        for (ReportSection section : SECTIONS) {
            section.write(data, page);
        }
        page.figures().forEach(folder::writeText);
        folder.writeText("report.md", page.markdown());
        folder.writeText(PAGE, HtmlPage.html(title, page.markdown(), page.figures()));
        return folder.path(PAGE).toString();
    }

    /** Returns the path of {@code report.html}. */
    public String path() {
        return folder.path(PAGE).toString();
    }

    /** Returns the path of its folder. */
    public String folder() {
        return folder.path().toString();
    }

    /** Returns the page itself, HTML; empty if no job has written it. */
    public String page() {
        return folder.has(PAGE) ? folder.readText(PAGE) : "";
    }

    /** Returns the summary of a job's last run; missing if it has not run. */
    public JsonNode section(String job) {
        return folder.has(DATA) ? folder.readJson(DATA).path(job) : MissingNode.getInstance();
    }

    private static String title(JsonNode data) {
        JsonNode evaluate = data.path("evaluate");
        if (!evaluate.has("heldOut")) {
            return "Potstill report";
        }
        String student = evaluate.path("student").path("name").asText();
        return (student.equalsIgnoreCase("student") ? "A" : student + ", a") + " student of " + evaluate.path("teacher").path("name").asText().replaceFirst("\\.gguf$", "");
    }

    private ObjectNode run() {
        ObjectNode run = HadoopFolder.JSON.createObjectNode()
                .put("finished", Instant.now().truncatedTo(ChronoUnit.SECONDS).toString())
                .put("potstill", Versions.potstill())
                .put("spark", org.apache.spark.package$.MODULE$.SPARK_VERSION())
                .put("java", System.getProperty("java.version"))
                .put("system", System.getProperty("os.name") + " " + System.getProperty("os.arch"))
                .put("processors", Runtime.getRuntime().availableProcessors())
                .put("master", settings.spark().getOrDefault("spark.master", "").toLowerCase(Locale.ROOT));
        settings.given().forEach(run.putObject("settings")::put);
        return run;
    }
}
