// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import java.util.List;
import java.util.Set;
import org.potstill.spark.hardware.Cost;
import org.potstill.spark.hardware.DeviceShare;
import org.potstill.student.loss.StepLoss;

/**
 * Summary of a training run.
 *
 * @param parameters  number of the student's parameters
 * @param workers     number of workers
 * @param rounds      averaging rounds over all epochs
 * @param positions   positions learnt from, over all epochs
 * @param seconds     training time, including the time before a resume
 * @param teacherLoss the teacher's cross-entropy on the training text, in nats
 * @param history     mean loss of every step over the workers
 * @param student     path of the student's folder
 * @param simd        width of the SIMD vectors of the executors, {@code none} or {@code gpu}; null in older students
 * @param hardware    the student's model FLOPs as a share of the peak in averaging rounds; null in older students
 * @param exchange    between executors; null in older students
 * @param cost        of the executors; null without a price
 */
public record TrainSummary(long parameters, int workers, int rounds, long positions, double seconds, double teacherLoss,
        List<StepLoss> history, String student, Set<String> simd, DeviceShare hardware, ExchangeSummary exchange, Cost cost) {
}
