// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Text of cache summaries for a terminal. */
public final class InspectText {
    private static final int MAX_BARS = 16;
    private static final int BAR_WIDTH = 50;
    private static final int CELL = 16;

    private final StringBuilder out = new StringBuilder();

    private InspectText() {
    }

    public static String of(List<CacheSummary> summaries) {
        return summaries.stream().map(summary -> new InspectText().summary(summary)).collect(Collectors.joining("\n"));
    }

    public static String of(DecodedSequence sequence) {
        return new InspectText().sequence(sequence);
    }

    private String summary(CacheSummary s) {
        JsonNode made = s.provenance();
        JsonNode teacher = made.path("teacher");
        JsonNode targets = made.path("targets");
        line("%s", visible(s.folder()));
        fact("teacher", "%s, %s on %s, %,d parameters, vocabulary of %,d", said(teacher, "name"), said(teacher, "precision"), said(teacher, "engine"),
                teacher.path("parameters").asLong(), teacher.path("vocab_size").asLong());
        fact("fingerprint", "%s", said(teacher, "fingerprint"));
        fact("tokenizer", "%s", said(made.path("tokenizer"), "fingerprint"));
        fact("targets", "%s: %s tail, temperature %s", said(targets, "spec"), said(targets, "tail"), said(targets, "temperature"));
        fact("made by", "Potstill %s, format %s; begun %s", said(made, "potstill"), said(made, "format"), said(made, "created"));
        if (s.files() > 0) {
            fact("files", "%,d, %,d bytes, written %s to %s by %s", s.files(), s.bytes(), s.writtenFrom(), s.writtenTo(),
                    visible(String.join("; ", s.writers())));
        }
        fact("rows", "%,d: %,d keys and %,d duplicates; %,d positions", s.rows(), s.keys(), s.duplicates(), s.positions());
        if (s.snapshot() == null) {
            fact("snapshot", "none: no label run has finished");
        } else {
            fact("snapshot", "%,d documents, %,d sequences, %,d keys; %,d rows are not in the snapshot", s.snapshot().documents(),
                    s.snapshot().sequences(), s.snapshot().keys(), s.snapshot().unnamedRows());
            if (!s.snapshot().teachers().isEmpty()) {
                fact("", "this teacher's part of a corpus that %s share", visible(String.join(", ", s.snapshot().teachers())));
            }
        }
        warnings(s);
        if (s.teacherLoss() == null) {
            return out.toString();
        }
        fact("bytes/token", "%.1f: %s", s.bytesPerToken().values().stream().mapToDouble(Double::doubleValue).sum(),
                s.bytesPerToken().entrySet().stream().sorted(Map.Entry.<String, Double>comparingByValue().reversed())
                        .map(c -> String.format(Locale.ROOT, "%s %.2f", visible(c.getKey()), c.getValue())).collect(Collectors.joining(", ")));
        fact("entries", "%.1f token ids per position", s.entriesPerPosition());
        fact("teacher", "loss %.3f nats per token (perplexity %.1f), entropy %.3f", s.teacherLoss(), s.teacherPerplexity(), s.teacherEntropy());
        line("%n  sequences by the teacher's mean entropy, nats:");
        bars(s.entropies());
        return out.toString();
    }

    private void warnings(CacheSummary s) {
        if (s.snapshot() != null && s.snapshot().missingKeys() > 0) {
            fact("missing", "%,d keys of the snapshot have no row", s.snapshot().missingKeys());
        }
        if (s.damagedRows() > 0) {
            fact("damaged", "%,d rows, left out of the following figures; potstill cache verify names them", s.damagedRows());
        }
        if (s.unreadableFiles() > 0) {
            fact("unreadable", "%,d files; potstill cache verify says more", s.unreadableFiles());
            s.unreadable().forEach(file -> fact("", "%s", visible(file)));
        }
    }

    /** Writes a histogram; merges neighbouring bars until there are few. */
    private void bars(List<CacheSummary.Bar> bars) {
        double low = bars.get(0).from();
        double high = bars.get(bars.size() - 1).to();
        double width = List.of(0.1, 0.2, 0.5, 1.0, 2.0).stream().filter(w -> (high - low) / w < MAX_BARS).findFirst().orElse(5.0);
        int first = (int) Math.floor(low / width + 1e-6);
        long[] rows = new long[(int) Math.ceil(high / width - 1e-6) - first];
        bars.forEach(bar -> rows[(int) Math.floor(bar.from() / width + 1e-6) - first] += bar.rows());
        long most = java.util.Arrays.stream(rows).max().orElse(1);
        for (int i = 0; i < rows.length; i++) {
            line("  %5.1f to %5.1f %s %,d", (first + i) * width, (first + i + 1) * width,
                    "#".repeat((int) Math.ceil((double) rows[i] * BAR_WIDTH / most)), rows[i]);
        }
    }

    private String sequence(DecodedSequence s) {
        line("%s", visible(s.folder()));
        fact("file", "%s", visible(s.file()));
        fact("document", "%s", visible(s.document()));
        fact("key", "%s", visible(s.key()));
        fact("tokens", "%,d", s.tokens());
        fact("teacher", "loss %.3f nats per token (perplexity %.1f), entropy %.3f", s.teacherLoss(), Math.exp(s.teacherLoss()), s.teacherEntropy());
        line("%n  %8s %-" + CELL + "s %7s   %s", "position", "target token", "p", "the teacher's most probable tokens");
        line("  %8s %-" + CELL + "s", "", cell(s.first()));
        for (DecodedSequence.Position p : s.positions()) {
            line("  %8d %-" + CELL + "s %7s   %s   rest %s", p.position(), cell(p.came()), percent(p.came().probability()),
                    p.guesses().stream().map(g -> String.format(Locale.ROOT, "%-12s %6s", cell(g), percent(g.probability())))
                            .collect(Collectors.joining("   ")),
                    percent(p.tail()));
        }
        if (s.positions().size() < s.tokens() - 1) {
            line("  and %,d more positions; --limit shows them", s.tokens() - 1 - s.positions().size());
        }
        return out.toString();
    }

    /** Returns a token's text or, if it has none, its id. */
    private static String cell(DecodedSequence.Token token) {
        return token.text().isEmpty() ? "#" + token.id() : "'" + VisibleText.of(token.text(), CELL - 2) + "'";
    }

    /** Formats a probability; unknown ones, of tokens that are not stored, are a dash. */
    private static String percent(Double p) {
        return p == null ? "-" : String.format(Locale.ROOT, "%.1f %%", 100 * p);
    }

    private static String said(JsonNode node, String field) {
        return visible(node.path(field).asText("unknown"));
    }

    private static String visible(String text) {
        return VisibleText.of(text, 300);
    }

    private void fact(String name, String format, Object... values) {
        line("  %-12s %s", name, String.format(Locale.ROOT, format, values));
    }

    private void line(String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append(System.lineSeparator());
    }
}
