// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.util.Locale;
import java.util.Set;

/**
 * Model FLOPs as a share of the devices' peak (model FLOPs utilization, Chowdhery et al. 2022, arXiv 2204.02311, appendix B).
 *
 * @param modelFlops FLOPs that the model needs for all tokens
 * @param share      of the devices' peak in the time in which they were to work; null if a peak is unknown
 * @param peak       mean peak of the devices, in FLOP/s; null if one is unknown
 * @param devices    the devices, in words
 */
public record DeviceShare(double modelFlops, Double share, Double peak, Set<String> devices) {
    /** Returns the share; null if no model FLOPs were counted. */
    public static DeviceShare of(DeviceWork work) {
        if (work.flops() == 0) {
            return null;
        }
        boolean known = work.possible() > 0;
        return new DeviceShare(work.flops(), known ? work.flops() / work.possible() : null, known ? work.possible() / work.seconds() : null, work.devices());
    }

    /**
     * Describes the share in a line of the log.
     *
     * @param setting gives the peak
     */
    public String describe(String setting) {
        String names = String.join("; ", devices);
        return share == null ? String.format(Locale.ROOT, "the share of the peak is unknown, as the peak of %s is: %s gives it", names, setting)
                : String.format(Locale.ROOT, "%.1f %% of the peak of %s TFLOP/s (%s)", 100 * share, ThreeDigits.of(peak / 1e12), names);
    }
}
