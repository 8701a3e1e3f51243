// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher;

/** KL divergence of distributions that are given by their logits, in double precision. */
public final class LogitDivergence {
    private LogitDivergence() {
    }

    /** Returns the mean of KL(expected ‖ actual) over rows of {@code vocabSize} logits, in nats. */
    public static double kl(float[] expected, float[] actual, int vocabSize) {
        double sum = 0;
        for (int row = 0; row < expected.length; row += vocabSize) {
            double expectedLse = lse(expected, row, vocabSize);
            double actualLse = lse(actual, row, vocabSize);
            for (int i = row; i < row + vocabSize; i++) {
                double logP = expected[i] - expectedLse;
                sum += Math.exp(logP) * (logP - actual[i] + actualLse);
            }
        }
        return sum / Math.floorDiv(expected.length, vocabSize);
    }

    private static double lse(float[] logits, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += Math.exp(logits[i]);
        }
        return Math.log(sum);
    }
}
