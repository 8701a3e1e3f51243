// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.math.BigDecimal;
import java.math.MathContext;

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
        return figure(perMillionTokens) + " per million tokens, " + figure(total) + " for " + figure(executorHours) + " hours of executors";
    }

    private static String figure(double value) {
        return new BigDecimal(value).round(new MathContext(3)).toPlainString();
    }
}
