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
 * The report folder: {@code report.json} holds what each job's last run said; {@code report.md}, its figures and
 * {@code report.html} (one file, figures inside) are rendered from it anew after each.
 */
public final class Report {
    private static final String DATA = "report.json";
    /** In the order of the page: the answer first, then what it rests on. */
    private static final List<ReportSection> SECTIONS = List.of(new EvaluationSection(), new TextsSection(), new TrainingSection(),
            new PruningSection(), new LabellingSection(), new RunsSection());

    private final HadoopFolder folder;
    private final Settings settings;

    public Report(Settings settings, Configuration hadoop) {
        this.settings = settings;
        this.folder = new HadoopFolder("report", path(settings), hadoop);
    }

    /** As set, else beside the student, the cache or the pruned model. */
    private static String path(Settings settings) {
        if (!settings.string("report.path").isBlank()) {
            return settings.string("report.path");
        }
        String beside = Stream.of("student.path", "cache.path", "prune.path").filter(key -> !settings.string(key).isBlank()).findFirst()
                .orElse("student.path");
        return new Path(settings.required(beside), "report").toString();
    }

    /**
     * Puts what a job's run said in place of what its last run said, and renders the report again.
     *
     * @param job     its name, under which {@code report.json} has the summary
     * @param summary what Jackson can write as JSON
     * @return the path of the page to open
     */
    public String put(String job, Object summary) {
        folder.requireWritable();
        ObjectNode data = folder.has(DATA) ? (ObjectNode) folder.readJson(DATA) : HadoopFolder.JSON.createObjectNode();
        data.set(job, HadoopFolder.JSON.valueToTree(summary));
        data.withObject("/runs").set(job, run());
        if (data.path(job).path("scoredTokens").asLong() > 0) {
            // A later run that finds everything in the cache has no figures of its own.
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
        folder.writeText("report.html", HtmlPage.html(title, page.markdown(), page.figures()));
        return folder.path("report.html").toString();
    }

    /** The path of the page to open. */
    public String path() {
        return folder.path("report.html").toString();
    }

    /** What a job's last run said; missing where it has not run. */
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
