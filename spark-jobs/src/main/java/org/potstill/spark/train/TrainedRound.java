// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import org.potstill.student.loss.StepLoss;

/**
 * Figures of an averaging round.
 *
 * @param rounds          rounds completed, over all epochs
 * @param loss            means over all workers' positions
 * @param learningRate    of the last local step
 * @param gradientNorm    mean over all workers and local steps, before clipping
 * @param tokensPerSecond positions that all workers learnt from, per second of wall-clock time
 */
public record TrainedRound(int rounds, StepLoss loss, double learningRate, double gradientNorm, double tokensPerSecond) {
}
