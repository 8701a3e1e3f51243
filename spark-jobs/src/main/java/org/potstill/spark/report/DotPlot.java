// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import java.util.List;

/** A plot of values as dots with intervals, one per row, on a linear axis. Unlike bars, dots allow an axis that does not start at zero. */
final class DotPlot {
    private static final int LEFT = 128;
    private static final int RIGHT = SvgCanvas.WIDTH - 62;
    private static final int TOP = 44;
    private static final int ROW = 27;

    /**
     * A row.
     *
     * @param label name of the value; a row without value is a heading
     * @param low   lower end of the interval; null for none
     * @param high  upper end of the interval; null for none
     * @param text  the value as written at the right
     * @param css   CSS class of the dot
     */
    record Row(String label, Double value, Double low, Double high, String text, String css) {
        static Row heading(String label) {
            return new Row(label, null, null, null, "", "muted");
        }
    }

    private DotPlot() {
    }

    /**
     * Draws the plot.
     *
     * @param mark position of a dashed line, for comparison; null for none
     */
    static String svg(String title, String axis, List<Row> rows, double min, double max, Double mark) {
        int bottom = TOP + ROW * rows.size();
        SvgCanvas canvas = new SvgCanvas(bottom + 40, title);
        canvas.text(0, 18, "head", "start", title);
        for (double tick : SvgCanvas.ticks(min, max, 4)) {
            canvas.line(x(tick, min, max), TOP - 8, x(tick, min, max), bottom, "grid");
            canvas.text(x(tick, min, max), bottom + 15, "muted", "middle", SvgCanvas.label(tick));
        }
        if (mark != null) {
            canvas.line(x(mark, min, max), TOP - 8, x(mark, min, max), bottom, "mark");
        }
        double y = TOP + ROW / 2.0;
        for (Row row : rows) {
            canvas.text(row.value == null ? 0 : 8, y + 4, row.value == null ? "muted" : "", "start", row.label);
            if (row.value != null) {
                if (row.low != null && row.high != null) {
                    canvas.line(x(row.low, min, max), y, x(row.high, min, max), y, "span " + row.css);
                }
                canvas.dot(x(row.value, min, max), y, row.css);
                canvas.text(SvgCanvas.WIDTH, y + 4, "", "end", row.text);
            }
            y += ROW;
        }
        canvas.text((LEFT + RIGHT) / 2.0, bottom + 33, "muted", "middle", axis);
        return canvas.svg();
    }

    private static double x(double value, double min, double max) {
        return LEFT + (RIGHT - LEFT) * (Math.max(min, Math.min(max, value)) - min) / (max - min);
    }
}
