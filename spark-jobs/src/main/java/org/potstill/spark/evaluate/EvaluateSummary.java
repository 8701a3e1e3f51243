// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.List;
import java.util.Map;

/**
 * The student compared with its teacher.
 *
 * @param precision precision of both models
 * @param heldOut   scores on the held-out documents, which the student never saw
 * @param corpora   scores on further texts, by name
 * @param tasks     scores of multiple-choice tasks, by name
 * @param serving   speed, memory and texts; null if not measured
 * @param seconds   time taken
 * @param notes     passages and measurements that were left out, with reasons
 */
public record EvaluateSummary(ModelFacts teacher, ModelFacts student, String precision, TextScore heldOut,
        Map<String, TextScore> corpora, Map<String, TaskScore> tasks, ServingSummary serving, Seconds seconds, List<String> notes) {
    /**
     * Time by activity. Scoring times are sums over executors.
     *
     * @param teacher  forward passes
     * @param student  forward passes
     * @param comparing distributions of all models with the teacher's
     * @param serving  measuring speed and memory, and writing texts
     * @param total    wall clock
     */
    public record Seconds(double teacher, double student, double comparing, double serving, double total) {
    }
}
