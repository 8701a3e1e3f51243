// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import org.potstill.spark.hardware.DevicePeak;
import org.potstill.spark.hardware.DeviceWork;

/**
 * Use that all workers made of devices and network in a round.
 *
 * @param flops     model FLOPs
 * @param devices   peaks of the devices, by key
 * @param executors number of executors
 * @param received  bytes that executors received from each other, so also those that they sent to each other
 * @param waited    mean over workers of the seconds that they waited for the round's initial state
 */
public record RoundUse(double flops, Map<String, DevicePeak> devices, int executors, long received, double waited) {
    /** @param workers number of workers with steps in the round; some may have begun more than once */
    static RoundUse of(Collection<WorkerUse> uses, int workers, int executors) {
        Map<String, DevicePeak> devices = new HashMap<>();
        uses.forEach(use -> devices.put(use.device(), use.peak()));
        return new RoundUse(uses.stream().mapToDouble(WorkerUse::flops).sum(), devices, executors, uses.stream().mapToLong(WorkerUse::received).sum(),
                uses.stream().mapToDouble(WorkerUse::waited).sum() / workers);
    }

    /**
     * Returns the model FLOPs beside those that the devices could have done.
     *
     * @param seconds duration of the round
     */
    public DeviceWork work(double seconds) {
        DeviceWork possible = devices.values().stream().map(peak -> DeviceWork.of(0, seconds, peak)).reduce(DeviceWork.NONE, DeviceWork::plus);
        return new DeviceWork(flops, possible.seconds(), possible.possible(), possible.devices());
    }
}
