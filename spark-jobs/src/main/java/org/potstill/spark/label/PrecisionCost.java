// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

/**
 * Loss of accuracy due to the teacher's precision, measured on a sample of the sequences before the pass.
 *
 * @param precision the teacher's precision
 * @param kl        mean KL(FP32 teacher‖teacher) over full distributions, in nats
 * @param agreement top-1 agreement with the FP32 teacher
 * @param positions number of positions measured
 */
public record PrecisionCost(String precision, double kl, double agreement, long positions) {
}
