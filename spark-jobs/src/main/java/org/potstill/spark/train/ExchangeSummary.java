// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import java.util.Locale;
import org.potstill.spark.hardware.ThreeDigits;

/**
 * The exchange between executors, as means over averaging rounds.
 *
 * @param rounds            rounds that were averaged over: those since the training was started or resumed
 * @param bytes             bytes that executors received from each other in a round, so also those that they sent to each other
 * @param bytesPerParameter the same per parameter of the student and executor
 * @param waitedShare       share of a round that a worker waited for the round's initial state
 */
public record ExchangeSummary(int rounds, double bytes, double bytesPerParameter, double waitedShare) {
    String describe() {
        return String.format(Locale.ROOT, "%s MB per round, %.1f bytes per parameter and executor; workers waited for it in %.1f %% of a round",
                ThreeDigits.of(bytes / 1e6), bytesPerParameter, 100 * waitedShare);
    }
}
