// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A builder of the report as Markdown and separate figures, from top to bottom. */
public final class ReportPage {
    private final StringBuilder out = new StringBuilder();
    private final Map<String, String> figures = new LinkedHashMap<>();

    /** Escapes untrusted text for Markdown, on one line; line breaks become a pilcrow. */
    public static String escape(String text) {
        StringBuilder escaped = new StringBuilder();
        text.replaceAll("\\s*\\R\\s*", " ¶ ").codePoints().forEach(c -> {
            if (Character.isISOControl(c) || Character.getType(c) == Character.LINE_SEPARATOR || Character.getType(c) == Character.PARAGRAPH_SEPARATOR) {
                escaped.append(' ');
            } else if ("\\`*_[]<>|#&~".indexOf(c) >= 0) {
                escaped.append('\\').append((char) c);
            } else {
                escaped.appendCodePoint(c);
            }
        });
        return escaped.toString().strip();
    }

    public void heading(String format, Object... values) {
        out.append("\n## ").append(String.format(Locale.ROOT, format, values)).append("\n\n");
    }

    public void title(String format, Object... values) {
        out.append("# ").append(String.format(Locale.ROOT, format, values)).append("\n\n");
    }

    public void subheading(String format, Object... values) {
        out.append("\n### ").append(String.format(Locale.ROOT, format, values)).append("\n\n");
    }

    public void paragraph(String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append("\n\n");
    }

    public void quote(String text) {
        out.append("> ").append(text).append("\n\n");
    }

    /** Begins a table whose columns are right-aligned, except the first. */
    public void table(String... header) {
        out.append("| ").append(String.join(" | ", header)).append(" |\n|---").append("|---:".repeat(header.length - 1)).append("|\n");
    }

    /** Begins a table whose columns are left-aligned. */
    public void textTable(String... header) {
        out.append("| ").append(String.join(" | ", header)).append(" |\n").append("|---".repeat(header.length)).append("|\n");
    }

    public void row(String... cells) {
        out.append("| ").append(String.join(" | ", cells)).append(" |\n");
    }

    /** Adds a row to a table of two columns. */
    public void fact(String name, String format, Object... values) {
        row(name, String.format(Locale.ROOT, format, values));
    }

    public void endTable() {
        out.append('\n');
    }

    /**
     * Adds figures, side by side on wide screens.
     *
     * @param named        SVG documents by file name
     * @param alternatives alternative text of each
     */
    public void figures(Map<String, String> named, List<String> alternatives) {
        int i = 0;
        for (Map.Entry<String, String> figure : named.entrySet()) {
            figures.put(figure.getKey(), figure.getValue());
            out.append("![").append(alternatives.get(i++)).append("](").append(figure.getKey()).append(")\n");
        }
        out.append('\n');
    }

    String markdown() {
        return out.toString();
    }

    /** Returns SVG documents by file name. */
    Map<String, String> figures() {
        return figures;
    }
}
