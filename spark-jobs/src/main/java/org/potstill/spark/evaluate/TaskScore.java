// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

/**
 * Answers to the questions of a multiple-choice task.
 *
 * @param questions asked
 * @param chance    share of right answers by guessing
 */
public record TaskScore(int questions, double chance, Answers teacher, Answers student) {
    /**
     * Shares of right answers, each with its standard error.
     *
     * @param accuracy           of the choice with the highest log-likelihood
     * @param normalisedAccuracy of the choice with the highest log-likelihood per byte
     */
    public record Answers(double accuracy, double accuracyError, double normalisedAccuracy, double normalisedAccuracyError) {
    }
}
