// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.export;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.potstill.spark.train.StudentFolder;

/**
 * The model card of an exported student: its origin and quality. Only the last component of paths is shown, as the rest may reveal
 * names of machines and people.
 */
final class ModelCard {
    private final JsonNode provenance;
    private final JsonNode evaluation;
    private final ExportFormat format;
    private final ExportFormat.Precision precision;
    private final Fidelity fidelity;
    private final List<String> remarks;
    private final StringBuilder out = new StringBuilder();

    /** @param evaluation the report's evaluation; a missing node if there is none */
    ModelCard(JsonNode provenance, JsonNode evaluation, ExportFormat format, ExportFormat.Precision precision, Fidelity fidelity,
            List<String> remarks) {
        this.provenance = provenance;
        this.evaluation = evaluation;
        this.format = format;
        this.precision = precision;
        this.fidelity = fidelity;
        this.remarks = remarks;
    }

    private String corpus() {
        JsonNode corpus = provenance.path("corpus");
        return Stream.of("corpus.path", "corpus.table", "corpus.query").map(key -> corpus.path(key).asText()).filter(said -> !said.isEmpty())
                .findFirst().orElse("");
    }

    String markdown() {
        JsonNode training = provenance.path("training");
        JsonNode corpus = provenance.path("corpus");
        Map<String, JsonNode> teachers = new LinkedHashMap<>();
        provenance.path(StudentFolder.TEACHERS).properties().forEach(each -> teachers.put("teacher " + name(each.getKey()), each.getValue()));
        if (teachers.isEmpty()) {
            teachers.put("teacher", provenance.path("teacher"));
        }
        String teacher = teachers.values().stream().map(each -> name(each.path("name").asText())).collect(Collectors.joining(" and "));
        String sizes = teachers.values().stream().map(each -> String.format(Locale.ROOT, "%,d", each.path("parameters").asLong())).collect(Collectors.joining(" and "));
        out.append("---\nlibrary_name: ").append(format == ExportFormat.GGUF ? "llama.cpp" : "transformers")
                .append("\npipeline_tag: text-generation\ntags:\n- distillation\n- potstill\n");
        out.append(format == ExportFormat.HF ? "---\n" : "- " + format + "\n---\n");
        line("\n# A student of %s", teacher);
        line("\nA causal language model of %,d parameters, distilled with Potstill from %s, which %s %s.", training.path("parameters").asLong(),
                teacher, teachers.size() == 1 ? "has" : "have", sizes);
        line("\n| | |\n|---|---|");
        teachers.forEach((which, each) -> line("| %s | %s, SHA-256 %s |", which, name(each.path("name").asText()), name(each.path("weights").asText())));
        line("| soft labels | %s |", name(provenance.path("identity").path("data").path("spec").asText()));
        line("| corpus | %s: %,d documents, of which %,d are held out; %,d tokens in sequences of %,d |",
                name(corpus()), corpus.path("documents").asLong(), corpus.path("held_out").asLong(),
                corpus.path("positions").asLong(), corpus.path("sequence-length").asLong());
        line("| trained | on %,d tokens in %,.0f s, %,d workers averaged |", training.path("positions").asLong(),
                training.path("seconds").asDouble(), training.path("workers").asLong());
        for (String key : new String[] {"student.init", "train.epochs", "train.batch-size", "train.alpha", "train.learning-rate",
            "train.optimizer", "seed"}) {
            if (!provenance.path("identity").path(key).asText().isEmpty()) {
                line("| %s | %s |", key, name(provenance.path("identity").path(key).asText()));
            }
        }
        line("| made with | Potstill %s |", name(provenance.path("versions").path("potstill").asText()));
        line("| exported | as %s in %s |", format, precision);
        line("| KL to the student before export | %s |", fidelity.describe(ModelCard::name));
        remarks.forEach(remark -> line("\nNote: %s.", remark));
        evaluation(evaluation, "");
        evaluation.path("teachers").properties().forEach(each -> evaluation(each.getValue(), " for the teacher " + name(each.getKey())));
        return out.toString();
    }

    private void evaluation(JsonNode evaluation, String which) {
        // The report may be another student's.
        if (evaluation.path("student").path("parameters").asLong(-1) != provenance.path("training").path("parameters").asLong()) {
            return;
        }
        line("\n## On %,d tokens of held-out documents%s", evaluation.path("heldOut").path("positions").asLong(), which);
        line("\n| | teacher | student | bigram counts |\n|---|---:|---:|---:|");
        row(evaluation, "perplexity", "perplexity", "%,.1f", 1);
        row(evaluation, "next-token accuracy, %", "accuracy", "%.1f", 100);
        row(evaluation, "top-1 agreement with the teacher, %", "agreement", "%.1f", 100);
        row(evaluation, "KL(teacher ‖ model), nats per token", "kl", "%.3f", 1);
        row(evaluation, "calibration error (ECE), %", "calibrationError", "%.1f", 100);
    }

    private void row(JsonNode evaluation, String label, String key, String format, double scale) {
        out.append("| ").append(label).append(" |");
        for (String model : new String[] {"teacher", "student", "bigram"}) {
            JsonNode value = evaluation.path("heldOut").path(model).path(key).path("value");
            out.append(' ').append(value.isNumber() ? String.format(Locale.ROOT, format, scale * value.asDouble()) : "").append(" |");
        }
        out.append('\n');
    }

    private void line(String format, Object... values) {
        out.append(String.format(Locale.ROOT, format, values)).append('\n');
    }

    /** Returns the last component of a path, without Markdown's special characters. */
    private static String name(String path) {
        String last = path.replaceAll("[/\\\\]+$", "").replaceAll("^.*[/\\\\]", "");
        return last.substring(0, Math.min(last.length(), 200)).replaceAll("[^A-Za-z0-9._+ =,-]", "?");
    }
}
