// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

/**
 * Cost of a job's executors, in the currency of the price in the settings.
 *
 * @param executorHours    number of executors times the job's duration
 * @param total            cost of these
 * @param perMillionTokens cost per million tokens that were scored or learnt from
 */
public record Cost(double executorHours, double total, double perMillionTokens) {
    /** Describes the cost in a line of the log. */
    public String describe() {
        return ThreeDigits.of(perMillionTokens) + " per million tokens, " + ThreeDigits.of(total) + " for " + ThreeDigits.of(executorHours) + " hours of executors";
    }
}
