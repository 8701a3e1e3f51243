// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.io.Serializable;

/**
 * The peak of a device.
 *
 * @param device the device, in words
 * @param flops  floating-point operations per second; NaN if unknown
 */
public record DevicePeak(String device, double flops) implements Serializable {
}
