// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.metrics;

import java.io.Serializable;
import java.util.Arrays;

/**
 * Sums for the expected calibration error (Guo et al. 2017, arXiv 1706.04599): predictions by the probability of their most
 * probable token, in {@value #BINS} bins of equal width.
 *
 * @param predictions in each bin
 * @param confidence  sum of those probabilities in each bin
 * @param correct     predictions in each bin whose most probable token is the one that follows
 */
public record Calibration(long[] predictions, double[] confidence, long[] correct) implements Serializable {
    public static final int BINS = 15;
    static final Calibration NONE = new Calibration(new long[BINS], new double[BINS], new long[BINS]);

    void add(double probability, boolean right) {
        int bin = Math.max(0, Math.min(BINS - 1, (int) Math.ceil(probability * BINS) - 1));
        predictions[bin]++;
        confidence[bin] += probability;
        correct[bin] += right ? 1 : 0;
    }

    Calibration plus(Calibration other) {
        Calibration sum = new Calibration(predictions.clone(), confidence.clone(), correct.clone());
        for (int bin = 0; bin < BINS; bin++) {
            sum.predictions[bin] += other.predictions[bin];
            sum.confidence[bin] += other.confidence[bin];
            sum.correct[bin] += other.correct[bin];
        }
        return sum;
    }

    /** Mean distance between confidence and accuracy of the bins, weighted by predictions; from 0 to 1. */
    public double error() {
        double distance = 0;
        for (int bin = 0; bin < BINS; bin++) {
            distance += Math.abs(correct[bin] - confidence[bin]);
        }
        return distance / Arrays.stream(predictions).sum();
    }
}
