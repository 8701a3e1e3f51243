package org.potstill.spark.train;

import java.util.List;
import org.potstill.student.StepLoss;

/** Losses of several steps or workers. */
final class Losses {
    private Losses() {
    }

    /** That they are means over, together. */
    static long positions(List<StepLoss> losses) {
        return losses.stream().mapToLong(StepLoss::positions).sum();
    }

    /** Weighted by positions. */
    static StepLoss mean(List<StepLoss> losses) {
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
