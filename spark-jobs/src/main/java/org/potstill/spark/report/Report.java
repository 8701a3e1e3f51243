package org.potstill.spark.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.commonmark.Extension;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;
import org.potstill.spark.HadoopFolder;
import org.potstill.spark.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The report folder: {@code report.json} holds a section of each job's last run; {@code report.md}, its plots and
 * {@code report.html} (one file, plots inside) are rendered from it anew after each.
 */
public final class Report {
    private static final Logger LOG = LoggerFactory.getLogger(Report.class);
    private static final String DATA = "report.json";

    private final HadoopFolder folder;

    public Report(Settings settings, Configuration hadoop) {
        this.folder = new HadoopFolder("report", path(settings), hadoop);
    }

    /** As set, else beside the student, else beside the cache. */
    private static String path(Settings settings) {
        if (!settings.string("report.path").isBlank()) {
            return settings.string("report.path");
        }
        return (settings.string("student.path").isBlank() ? settings.required("cache.path") : settings.string("student.path")) + "/report";
    }

    /** @return the path of the page to open */
    public String put(String section, Object summary) {
        folder.requireWritable();
        ObjectNode data = folder.has(DATA) ? (ObjectNode) folder.readJson(DATA) : HadoopFolder.JSON.createObjectNode();
        data.set(section, HadoopFolder.JSON.valueToTree(summary));
        if (data.path(section).path("scoredTokens").asLong() > 0) {
            // A later run that finds all in the cache has no figures of its own.
            data.set("pass", data.get(section));
        }
        folder.writeJson(DATA, data);
        Map<String, byte[]> plots = plots(data);
        plots.forEach(folder::write);
        String markdown = new ReportText(data, plots.keySet()).markdown();
        folder.writeText("report.md", markdown);
        folder.writeText("report.html", html(markdown, plots));
        return folder.path("report.html").toString();
    }

    /** The path of the page to open. */
    public String path() {
        return folder.path("report.html").toString();
    }

    /** What a job's last run said; missing where it has not run. */
    public JsonNode section(String section) {
        return folder.has(DATA) ? folder.readJson(DATA).path(section) : MissingNode.getInstance();
    }

    private static Map<String, byte[]> plots(ObjectNode data) {
        try {
            return Plots.of(data);
        } catch (LinkageError | RuntimeException e) {
            // A headless JRE without fonts cannot draw. The figures are there without plots.
            LOG.warn("the report has no plots: {} (where it speaks of fonts, install fontconfig and a font)", e.toString());
            return new LinkedHashMap<>();
        }
    }

    static String html(String markdown, Map<String, byte[]> plots) {
        List<Extension> tables = List.of(TablesExtension.create());
        String body = HtmlRenderer.builder().extensions(tables).escapeHtml(true).build()
                .render(Parser.builder().extensions(tables).build().parse(markdown));
        for (Map.Entry<String, byte[]> plot : plots.entrySet()) {
            body = body.replace("src=\"" + plot.getKey() + "\"",
                    "src=\"data:image/png;base64," + Base64.getEncoder().encodeToString(plot.getValue()) + "\"");
        }
        return """
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <title>Potstill report</title>
                <style>
                body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 54rem; margin: 2rem auto; padding: 0 1rem; }
                h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ddd; padding-bottom: .3rem; }
                table { border-collapse: collapse; margin: 1rem 0; } img { max-width: 100%; }
                th, td { padding: .35rem .9rem; border-bottom: 1px solid #e4e4e4; text-align: left; font-variant-numeric: tabular-nums; }
                th { background: #f6f4f0; } td[align=right], th[align=right] { text-align: right; }
                code { background: #f6f4f0; padding: .1rem .3rem; overflow-wrap: anywhere; }
                </style>
                </head>
                <body>
                """ + body + "</body>\n</html>\n";
    }
}
