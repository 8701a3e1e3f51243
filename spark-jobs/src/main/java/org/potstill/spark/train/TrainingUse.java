// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import org.potstill.spark.hardware.DeviceShare;
import org.potstill.spark.hardware.DeviceWork;
import org.potstill.spark.train.averaging.RoundUse;

/** Sums over averaging rounds of the use that workers made of devices and network. */
final class TrainingUse {
    private DeviceWork work = DeviceWork.NONE;
    private int rounds;
    private double bytes;
    private double bytesPerExecutor;
    private double waited;
    private double seconds;

    /** @param duration of the round, in seconds */
    void add(RoundUse round, double duration) {
        work = work.plus(round.work(duration));
        rounds++;
        bytes += round.received();
        bytesPerExecutor += (double) round.received() / round.executors();
        waited += round.waited();
        seconds += duration;
    }

    DeviceShare hardware() {
        return DeviceShare.of(work);
    }

    ExchangeSummary exchange(long parameters) {
        return rounds == 0 ? null : new ExchangeSummary(rounds, bytes / rounds, bytesPerExecutor / rounds / parameters, waited / seconds);
    }
}
