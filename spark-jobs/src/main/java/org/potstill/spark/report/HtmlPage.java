// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.commonmark.Extension;
import org.commonmark.ext.gfm.tables.TablesExtension;
import org.commonmark.parser.Parser;
import org.commonmark.renderer.html.HtmlRenderer;

/** Renderer of the report's Markdown as one HTML file, figures inside, for wide and narrow, light and dark screens. */
final class HtmlPage {
    private static final Pattern IMAGE = Pattern.compile("<img src=\"([^\"]+)\" alt=\"([^\"]*)\" />");

    /** An interval after a figure, as in {@code 30.0 (27.0–33.0)}; only intervals have word joiners. */
    private static final Pattern INTERVAL = Pattern.compile(" (\\([^()<>]*\\x{2060}–\\x{2060}[^()<>]*\\))");

    private HtmlPage() {
    }

    /**
     * Renders the page.
     *
     * @param figures SVG documents by file name
     */
    static String html(String title, String markdown, Map<String, String> figures) {
        List<Extension> tables = List.of(TablesExtension.create());
        String body = HtmlRenderer.builder().extensions(tables).escapeHtml(true).attributeProviderFactory(context -> new CellLabels()).build()
                .render(Parser.builder().extensions(tables).build().parse(markdown));
        body = body.replace("<table>", "<div class=\"wide\"><table>").replace("</table>", "</table></div>");
        body = INTERVAL.matcher(body).replaceAll(" <span class=\"interval\">$1</span>");
        body = IMAGE.matcher(body).replaceAll(image -> {
            String svg = figures.get(image.group(1));
            return svg == null ? "" : Matcher.quoteReplacement("<span class=\"figure\">" + svg + "</span>");
        });
        body = body.replace("<p><span class=\"figure\">", "<p class=\"figures\"><span class=\"figure\">");
        return String.format(Locale.ROOT, """
                <!DOCTYPE html>
                <html lang="en">
                <head>
                <meta charset="utf-8">
                <meta name="viewport" content="width=device-width, initial-scale=1">
                <meta name="color-scheme" content="light dark">
                <title>%s</title>
                <style>
                :root { --ink: #23211d; --paper: #fffefb; --soft: #f6f3ec; --rule: #e2dfd8; --muted: #6b6860; }
                @media (prefers-color-scheme: dark) {
                  :root { --ink: #ece8df; --paper: #1c1b19; --soft: #282623; --rule: #3d3b37; --muted: #a8a49a; }
                }
                body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 56rem;
                  margin: 2rem auto; padding: 0 1rem; }
                h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 3rem; border-bottom: 1px solid var(--rule); padding-bottom: .3rem; }
                h3 { margin-top: 2rem; } .wide { overflow-x: auto; margin: 1rem 0; } p { overflow-wrap: anywhere; }
                table { border-collapse: collapse; min-width: 100%%; font-size: .92rem; }
                th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top;
                  font-variant-numeric: tabular-nums; }
                th:first-child, td:first-child { padding-left: 0; } th { font-weight: 600; color: var(--muted); }
                td[align=right], th[align=right] { text-align: right; } thead:not(:has(th:not(:empty))) { display: none; }
                table:not(:has([align=right])) { table-layout: fixed; width: 100%%; overflow-wrap: anywhere; }
                table:not(:has(th:not(:empty))) td:first-child { width: 50%%; }
                table:not(:has(th:not(:empty))) td:last-child { overflow-wrap: anywhere; }
                .interval { color: var(--muted); font-size: .86em; white-space: nowrap; }
                code { background: var(--soft); padding: .1rem .3rem; overflow-wrap: anywhere; }
                blockquote { margin: 1.5rem 0 .5rem; padding: .1rem 1rem; background: var(--soft); }
                .figures { display: flex; flex-wrap: wrap; gap: 1.5rem 2rem; margin: 1.5rem 0; }
                .figure { flex: 1 1 21rem; max-width: 27rem; } .figure svg { width: 100%%; height: auto; display: block; }
                @media (max-width: 40rem) {
                  body { margin: 1rem auto; } th, td { padding: .3rem .4rem; } table { font-size: .82rem; }
                  td:first-child { min-width: 7rem; } .interval { display: block; }
                  /* A table too wide for a phone becomes a list: a block per row, a line per cell. */
                  table:is(:has(th:nth-child(5)), :has(th:nth-child(4)):not(:has([align=right]))) {
                    & thead { display: none; } & .interval { display: inline; }
                    & tr { display: block; padding: .4rem 0; border-bottom: 1px solid var(--rule); }
                    & td { display: flow-root; border: 0; padding: .1rem 0; text-align: right; }
                    & td::before { content: attr(data-label); float: left; margin-right: 1rem; color: var(--muted); font-weight: 400; }
                    & td:first-child { font-weight: 600; } & td[data-label=""] { text-align: left; } & td:empty { display: none; }
                  }
                }
                </style>
                </head>
                <body>
                %s</body>
                </html>
                """, SvgCanvas.escape(title), body);
    }
}
