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
 * @param flopsShare      model FLOPs as a share of the devices' peak; null if unknown
 * @param exchangedBytes  bytes that executors received from each other
 * @param waitedShare     share of the round that workers waited for its initial state
 * @param late            workers that it closed without
 */
public record TrainedRound(int rounds, StepLoss loss, double learningRate, double gradientNorm, double tokensPerSecond,
        Double flopsShare, long exchangedBytes, double waitedShare, int late) {
}
