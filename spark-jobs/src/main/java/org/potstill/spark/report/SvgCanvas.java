// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * A builder of an SVG document that needs no fonts and follows the reader's light or dark mode. Shapes take their
 * colours from CSS classes: {@code student}, {@code teacher}, {@code other}, {@code grid}, {@code muted}.
 */
final class SvgCanvas {
    static final int WIDTH = 420;
    private static final String STYLE = "<style>.plot{--s:#b5501d;--t:#2e6f8e;--o:#7a7a72;--g:#e2dfd8;--m:#6b6860;--i:#23211d}"
            + "@media(prefers-color-scheme:dark){.plot{--s:#f0975f;--t:#7fc0de;--o:#a5a298;--g:#3d3b37;--m:#a8a49a;--i:#ece8df}}"
            + ".plot text{font:13px system-ui,sans-serif;fill:var(--i)}.plot .muted{fill:var(--m);font-size:12px}"
            + ".plot .head{font-weight:600;font-size:14px}.plot .grid{stroke:var(--g)}.plot .mark{stroke:var(--m);stroke-dasharray:4 3}"
            + ".plot .student{fill:var(--s);stroke:var(--s)}.plot .teacher{fill:var(--t);stroke:var(--t)}.plot .other{fill:var(--o);stroke:var(--o)}"
            + ".plot path{fill:none!important;stroke-width:1.8;stroke-linejoin:round}.plot .span{stroke-width:2.5;opacity:.55}</style>";

    private final StringBuilder out = new StringBuilder();
    private final int height;
    private final String title;

    SvgCanvas(int height, String title) {
        this.height = height;
        this.title = title;
    }

    /**
     * Draws a text.
     *
     * @param anchor start, middle or end
     */
    void text(double x, double y, String css, String anchor, String text) {
        out.append(String.format(Locale.ROOT, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">%s</text>", x, y, css, anchor, escape(text)));
    }

    void line(double x1, double y1, double x2, double y2, String css) {
        out.append(String.format(Locale.ROOT, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>", x1, y1, x2, y2, css));
    }

    void dot(double x, double y, String css) {
        out.append(String.format(Locale.ROOT, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\" class=\"%s\"/>", x, y, css));
    }

    void path(double[] x, double[] y, String css) {
        out.append("<path class=\"").append(css).append("\" d=\"");
        for (int i = 0; i < x.length; i++) {
            out.append(String.format(Locale.ROOT, "%s%.1f %.1f", i == 0 ? "M" : "L", x[i], y[i]));
        }
        out.append("\"/>");
    }

    String svg() {
        return String.format(Locale.ROOT, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" class=\"plot\" "
                + "role=\"img\" aria-label=\"%s\">%s%s</svg>", WIDTH, height, WIDTH, height, escape(title), STYLE, out);
    }

    static String escape(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\"", "&quot;");
    }

    /** Returns about {@code count} round numbers within a range (Heckbert 1990, "Nice numbers for graph labels"). */
    static List<Double> ticks(double min, double max, int count) {
        double rough = (max - min) / count;
        double power = Math.pow(10, Math.floor(Math.log10(rough)));
        double step = power * (rough / power <= 1 ? 1 : rough / power <= 2 ? 2 : rough / power <= 5 ? 5 : 10);
        List<Double> ticks = new ArrayList<>();
        for (long i = (long) Math.ceil(min / step - 1e-9); i * step <= max + 1e-9 * step; i++) {
            ticks.add(i * step);
        }
        return ticks;
    }

    static String label(double tick) {
        String label = String.format(Locale.ROOT, "%,.3f", tick);
        return label.replaceAll("\\.?0+$", "");
    }
}
