// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.util.List;
import org.potstill.student.loss.StepLoss;

/** Aggregation of losses over steps or workers. */
public final class Losses {
    private Losses() {
    }

    /** Returns the total number of positions that the losses are means over. */
    public static long positions(List<StepLoss> losses) {
        return losses.stream().mapToLong(StepLoss::positions).sum();
    }

    /** Returns the mean of the losses, weighted by positions. */
    public static StepLoss mean(List<StepLoss> losses) {
        long positions = positions(losses);
        double total = 0;
        double kl = 0;
        double crossEntropy = 0;
        for (StepLoss loss : losses) {
            double weight = positions == 0 ? 0 : (double) loss.positions() / positions;
            total += weight * loss.total();
            kl += weight * loss.kl();
            crossEntropy += weight * loss.crossEntropy();
        }
        return new StepLoss(total, kl, crossEntropy, positions);
    }
}
