// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * Answers to the questions of a multiple-choice task.
 *
 * @param questions number of questions
 * @param chance    expected accuracy of guessing
 */
public record TaskScore(int questions, double chance, Answers teacher, Answers student) {
    /**
     * Accuracies with their standard errors.
     *
     * @param accuracy           accuracy of the choice with the highest log-likelihood
     * @param normalisedAccuracy accuracy of the choice with the highest log-likelihood per byte
     */
    public record Answers(double accuracy, double accuracyError, double normalisedAccuracy, double normalisedAccuracyError) {
    }
}
