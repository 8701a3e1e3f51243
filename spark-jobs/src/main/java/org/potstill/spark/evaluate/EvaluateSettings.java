// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.SortedMap;
import org.potstill.checkpoints.io.Precision;
import org.potstill.spark.settings.Settings;

/**
 * The settings under {@code evaluate}.
 *
 * @param maxTokens    positions scored of the held-out documents, and of each further corpus
 * @param corpora      further texts: paths by name
 * @param tasks        multiple-choice tasks: paths by name
 * @param maxQuestions maximum number of questions per task, from the start
 * @param ngrams       whether unigrams and bigrams of the training documents are counted and scored
 * @param precision    precision of both models
 * @param resamples    number of bootstrap resamples
 * @param speedTokens  positions per timed forward pass; 0: speed and memory are not measured
 * @param speedRepeats timed passes per model
 * @param texts        beginnings of held-out documents that both models continue; 0: none, and generation is not timed
 * @param textTokens   tokens per continuation
 */
record EvaluateSettings(int maxTokens, SortedMap<String, String> corpora, SortedMap<String, String> tasks, int maxQuestions,
        boolean ngrams, Precision precision, int resamples, int speedTokens, int speedRepeats, int texts, int textTokens) {
    private static final int MANY = 1 << 30;

    private enum Wanted { AUTO, FP32, FP16, INT8 }

    static EvaluateSettings of(Settings s) {
        return new EvaluateSettings(s.integer("evaluate.max-tokens", 1, MANY), s.texts("evaluate.corpora"), s.texts("evaluate.tasks"),
                s.integer("evaluate.max-questions", 1, MANY), s.flag("evaluate.ngrams"), precision(s),
                s.integer("evaluate.resamples", 1, 1_000_000), s.integer("evaluate.speed-tokens", 0, 1 << 20),
                s.integer("evaluate.speed-repeats", 1, 1000), s.integer("evaluate.texts", 0, 100),
                s.integer("evaluate.text-tokens", 2, 1 << 16));
    }

    /** Returns the precision. AUTO keeps a teacher's fp16, without which it may not fit, but not int8, whose cost is another question. */
    private static Precision precision(Settings s) {
        return switch (s.choice("evaluate.precision", Wanted.class)) {
            case FP32 -> Precision.FP32;
            case FP16 -> Precision.FP16;
            case INT8 -> Precision.INT8;
            case AUTO -> s.choice("teacher.precision", Precision.class) == Precision.FP16 ? Precision.FP16 : Precision.FP32;
        };
    }
}
