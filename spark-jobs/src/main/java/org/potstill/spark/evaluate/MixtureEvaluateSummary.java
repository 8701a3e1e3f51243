// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.List;
import java.util.SortedMap;
import java.util.function.ToDoubleFunction;

/**
 * The student compared with each of its teachers, on the held-out documents that this teacher would have scored.
 *
 * @param teachers  comparisons by the teacher's name
 * @param leftOut   why others could not be compared, by name
 * @param positions positions in all of these documents
 * @param kl        mean KL(teacher‖student) over them, each position against its own document's teacher, in nats
 * @param agreement share of positions at which the student's most probable token is that teacher's
 */
public record MixtureEvaluateSummary(SortedMap<String, EvaluateSummary> teachers, SortedMap<String, String> leftOut, long positions, double kl,
        double agreement) {
    static MixtureEvaluateSummary of(SortedMap<String, EvaluateSummary> teachers, SortedMap<String, String> leftOut) {
        List<TextScore> texts = teachers.values().stream().map(EvaluateSummary::heldOut).toList();
        long positions = texts.stream().mapToLong(TextScore::positions).sum();
        return new MixtureEvaluateSummary(teachers, leftOut, positions, sum(texts, student -> student.kl().value()) / positions,
                sum(texts, student -> student.agreement().value()) / positions);
    }

    private static double sum(List<TextScore> texts, ToDoubleFunction<ModelScore> figure) {
        double sum = 0;
        for (TextScore text : texts) {
            sum += text.positions() * figure.applyAsDouble(text.student());
        }
        return sum;
    }
}
