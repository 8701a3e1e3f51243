// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.List;
import java.util.Locale;

/** Text of verification results for a terminal. */
public final class VerifyText {
    private VerifyText() {
    }

    public static String of(List<VerifySummary> summaries) {
        StringBuilder out = new StringBuilder();
        summaries.forEach(summary -> summary(out, summary));
        return out.toString().stripTrailing();
    }

    private static void summary(StringBuilder out, VerifySummary s) {
        line(out, "%s", visible(s.folder()));
        line(out, "  %,d rows in %,d files, %,d positions; %s", s.rows(), s.files(), s.positions(),
                s.named() == null ? "no snapshot: no label run has finished"
                        : String.format(Locale.ROOT, "%,d keys in the snapshot", s.named()));
        if (s.teacher() != null) {
            line(out, "  scored again: %,d rows, of which %,d are identical to the byte; soft targets differ by at most %.3g (%s allowed), "
                    + "losses and entropies by %.3g nats", s.teacher().rows(), s.teacher().identical(), s.teacher().difference(),
                    Rescoring.TOLERANCE, s.teacher().statistics());
        }
        s.problems().forEach((kind, count) -> {
            line(out, "  %,d %s", count, kind.what());
            s.examples().stream().filter(p -> p.kind() == kind).forEach(p -> example(out, p));
        });
        if (s.sound()) {
            line(out, "  no problems");
        }
    }

    private static void example(StringBuilder out, Problem problem) {
        line(out, "    %s%s: %s", visible(problem.file()), problem.key().isEmpty() ? "" : " key " + visible(problem.key()),
                visible(problem.detail()));
    }

    private static String visible(String text) {
        return VisibleText.of(text, 300);
    }

    private static void line(StringBuilder out, String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append(System.lineSeparator());
    }
}
