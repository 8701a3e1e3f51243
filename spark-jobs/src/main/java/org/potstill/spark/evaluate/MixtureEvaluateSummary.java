// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.Map;
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
        return new MixtureEvaluateSummary(teachers, leftOut, teachers.values().stream().mapToLong(summary -> summary.heldOut().positions()).sum(),
                mean(teachers, student -> student.kl().value()), mean(teachers, student -> student.agreement().value()));
    }

    private static double mean(Map<String, EvaluateSummary> teachers, ToDoubleFunction<ModelScore> figure) {
        double sum = 0;
        double positions = 0;
        for (EvaluateSummary summary : teachers.values()) {
            sum += summary.heldOut().positions() * figure.applyAsDouble(summary.heldOut().student());
            positions += summary.heldOut().positions();
        }
        return sum / positions;
    }
}
