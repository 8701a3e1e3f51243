// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.io.Serializable;
import java.util.Set;
import java.util.TreeSet;

/**
 * Model FLOPs beside those that devices could have done in the same time; can be added up.
 *
 * @param flops    model FLOPs
 * @param seconds  sum over devices of the time in which each was to work
 * @param possible FLOPs at the devices' peaks in that time; NaN if a peak is unknown
 * @param devices  the devices, in words
 */
public record DeviceWork(double flops, double seconds, double possible, Set<String> devices) implements Serializable {
    public static final DeviceWork NONE = new DeviceWork(0, 0, 0, Set.of());

    /** Returns the work of one device. */
    public static DeviceWork of(double flops, double seconds, DevicePeak peak) {
        return new DeviceWork(flops, seconds, seconds * peak.flops(), Set.of(peak.device()));
    }

    public DeviceWork plus(DeviceWork other) {
        Set<String> all = new TreeSet<>(devices);
        all.addAll(other.devices);
        return new DeviceWork(flops + other.flops, seconds + other.seconds, possible + other.possible, all);
    }
}
