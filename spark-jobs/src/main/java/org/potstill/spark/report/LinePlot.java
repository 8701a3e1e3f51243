// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.report;

import java.util.Arrays;
import java.util.List;

/** A plot of curves on linear axes. */
final class LinePlot {
    private static final int LEFT = 44;
    private static final int TOP = 56;
    private static final int BOTTOM = 236;

    /**
     * A curve.
     *
     * @param css CSS class
     */
    record Line(String name, double[] x, double[] y, String css) {
    }

    private LinePlot() {
    }

    /**
     * Draws the plot.
     *
     * @param min   start of the vertical axis
     * @param mark  height of a dashed line; null for none
     * @param below label of the dashed line, below it if there is room, because curves fall towards it from above
     */
    static String svg(String title, String xAxis, String yAxis, List<Line> lines, double min, Double mark, String below) {
        double maxX = lines.stream().flatMapToDouble(line -> Arrays.stream(line.x)).max().orElse(1);
        double minX = lines.stream().flatMapToDouble(line -> Arrays.stream(line.x)).min().orElse(0);
        double maxY = lines.stream().flatMapToDouble(line -> Arrays.stream(line.y)).max().orElse(1);
        double top = Math.max(maxY, mark == null ? maxY : mark) + 1e-9;
        double right = maxX > minX ? maxX : minX + 1;
        SvgCanvas canvas = new SvgCanvas(BOTTOM + 40, title);
        canvas.text(0, 18, "head", "start", title);
        canvas.text(0, 38, "muted", "start", yAxis);
        for (double tick : SvgCanvas.ticks(min, top, 4)) {
            canvas.line(LEFT, y(tick, min, top), SvgCanvas.WIDTH, y(tick, min, top), "grid");
            canvas.text(LEFT - 6, y(tick, min, top) + 4, "muted", "end", SvgCanvas.label(tick));
        }
        for (double tick : SvgCanvas.ticks(minX, right, 4)) {
            double x = x(tick, minX, right);
            canvas.text(x, BOTTOM + 16, "muted", x > SvgCanvas.WIDTH - 25 ? "end" : "middle", SvgCanvas.label(tick));
        }
        if (mark != null) {
            canvas.line(LEFT, y(mark, min, top), SvgCanvas.WIDTH, y(mark, min, top), "mark");
            double line = y(mark, min, top);
            canvas.text(SvgCanvas.WIDTH, line + 15 < BOTTOM ? line + 15 : line - 5, "muted", "end", below);
        }
        double legend = SvgCanvas.WIDTH;
        for (int i = lines.size() - 1; i >= 0; i--) {
            Line line = lines.get(i);
            canvas.path(Arrays.stream(line.x).map(v -> x(v, minX, right)).toArray(), Arrays.stream(line.y).map(v -> y(v, min, top)).toArray(), line.css);
            if (lines.size() > 1) {
                canvas.text(legend, 38, "", "end", line.name);
                legend -= 7.2 * line.name.length() + 10;
                canvas.dot(legend, 34, line.css);
                legend -= 16;
            }
        }
        canvas.text((LEFT + SvgCanvas.WIDTH) / 2.0, BOTTOM + 34, "muted", "middle", xAxis);
        return canvas.svg();
    }

    private static double x(double value, double min, double max) {
        return LEFT + (SvgCanvas.WIDTH - LEFT) * (value - min) / (max - min);
    }

    private static double y(double value, double min, double max) {
        return BOTTOM - (BOTTOM - TOP) * (Math.max(min, Math.min(max, value)) - min) / (max - min);
    }
}
