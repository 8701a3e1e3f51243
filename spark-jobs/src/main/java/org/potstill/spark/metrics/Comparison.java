// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.metrics;

import java.io.Serializable;
import org.potstill.student.LogitComparison;

/**
 * Sums over positions of a model's next-token distributions, compared with the text and with the teacher's distributions.
 *
 * @param positions    next-token predictions
 * @param loss         sum of −log p of the token that follows, in nats
 * @param correct      predictions whose most probable token follows
 * @param agreed       predictions whose most probable token is the teacher's (top-1 agreement)
 * @param agreedInFive predictions that have the teacher's most probable token among their five most probable (top-5 agreement)
 * @param kl           sum of KL(teacher || model), in nats
 * @param calibration  of the most probable token
 */
public record Comparison(long positions, double loss, long correct, long agreed, long agreedInFive, double kl,
        Calibration calibration) implements Serializable {
    public static final Comparison NONE = new Comparison(0, 0, 0, 0, 0, 0, Calibration.NONE);
    private static final int FIVE = 5;

    /**
     * Sums the results of a sequence.
     *
     * @param results of each position; null where it is masked
     * @param tokens  of the sequence; position t predicts token t + 1
     */
    static Comparison sum(LogitComparison.Result[] results, int[] tokens) {
        double loss = 0;
        double kl = 0;
        long correct = 0;
        long agreed = 0;
        long agreedInFive = 0;
        Calibration calibration = Calibration.NONE.plus(Calibration.NONE);
        int positions = 0;
        for (int t = 0; t < results.length; t++) {
            LogitComparison.Result result = results[t];
            if (result == null) {
                continue;
            }
            positions++;
            boolean right = result.best() == tokens[t + 1];
            loss -= result.logProbability();
            kl += result.kl();
            correct += right ? 1 : 0;
            agreed += result.rank() == 0 ? 1 : 0;
            agreedInFive += result.rank() < FIVE ? 1 : 0;
            calibration.add(result.bestProbability(), right);
        }
        return new Comparison(positions, loss, correct, agreed, agreedInFive, kl, calibration);
    }

    public Comparison plus(Comparison other) {
        return new Comparison(positions + other.positions, loss + other.loss, correct + other.correct, agreed + other.agreed,
                agreedInFive + other.agreedInFive, kl + other.kl, calibration.plus(other.calibration));
    }

    /** Whether all logits were numbers, and no token that follows was impossible. */
    public boolean isFinite() {
        return Double.isFinite(loss + kl);
    }

    public double perplexity() {
        return Math.exp(loss / positions);
    }
}
