package org.potstill.spark.evaluate;

/**
 * The student against its teacher on documents it never saw.
 *
 * @param documents held out and scored
 * @param positions scored
 * @param threads   CPU threads that each model had
 * @param teacher   the model that labelled
 * @param student   the model that was trained
 * @param untrained the student before its first step
 */
public record EvaluateSummary(long documents, long positions, int threads, ModelScore teacher, ModelScore student,
        ModelScore untrained) {
}
