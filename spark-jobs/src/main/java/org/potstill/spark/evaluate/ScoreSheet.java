// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.potstill.spark.metrics.Comparison;

/** Combined scores of all executors. */
final class ScoreSheet {
    private final List<ScoringTask.Scores> parts;
    private final int resamples;
    private final long seed;

    /**
     * Creates a sheet.
     *
     * @param resamples number of bootstrap resamples
     * @param seed      seed of the bootstrap
     */
    ScoreSheet(List<ScoringTask.Scores> parts, int resamples, long seed) {
        this.parts = parts;
        this.resamples = resamples;
        this.seed = seed;
    }

    /** Returns the number of passages left out because the teacher's logits are not finite. */
    int overTeacher() {
        return parts.stream().mapToInt(ScoringTask.Scores::overTeacher).sum();
    }

    /** Returns the number of passages left out because the student's logits are not finite. */
    int overStudent() {
        return parts.stream().mapToInt(ScoringTask.Scores::overStudent).sum();
    }

    /** Returns seconds spent in the teacher (0), the student (1) and comparisons (2), summed over executors. */
    double seconds(int part) {
        return parts.stream().mapToDouble(scores -> scores.seconds()[part]).sum();
    }

    /** Returns a note on what was left out, if anything. */
    Optional<String> note() {
        int left = overTeacher() + overStudent();
        return left == 0 ? Optional.empty() : Optional.of((left == 1 ? "1 passage is" : left + " passages are") + " left out: " + overTeacher()
                + " because the teacher's logits are not finite there, " + overStudent() + " because the student's are not");
    }

    /** Returns the score of a text; empty if none of its passages could be scored. */
    Optional<TextScore> text(int number) {
        Map<String, ScoringTask.DocumentScore> documents = new TreeMap<>();
        for (ScoringTask.Scores part : parts) {
            for (ScoringTask.DocumentScore document : part.documents()) {
                if (document.text() == number) {
                    documents.merge(document.document(), document, ScoringTask.DocumentScore::plus);
                }
            }
        }
        if (documents.isEmpty()) {
            return Optional.empty();
        }
        List<List<Comparison>> sums = documents.values().stream().map(ScoringTask.DocumentScore::models).toList();
        List<ModelScore> models = new Bootstrap(sums).scores(resamples, seed);
        boolean ngrams = models.size() > 2;
        return Optional.of(new TextScore(sums.size(), sums.stream().mapToLong(document -> document.get(0).positions()).sum(),
                models.get(0), models.get(1), ngrams ? models.get(2) : null, ngrams ? models.get(3) : null));
    }

    TaskScore task(int number, ChoiceTask task) {
        double[][] teacher = new double[task.questions().size()][];
        double[][] student = new double[task.questions().size()][];
        for (ScoringTask.Scores part : parts) {
            for (ScoringTask.QuestionScore question : part.questions()) {
                if (question.task() == number) {
                    teacher[question.index()] = question.teacher();
                    student[question.index()] = question.student();
                }
            }
        }
        return new TaskScore(task.questions().size(), task.chance(), task.answers(teacher), task.answers(student));
    }
}
