// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.io.Serializable;
import java.util.Map;
import org.potstill.spark.hardware.DeviceWork;

/**
 * Result of one task of the teacher pass.
 *
 * @param executor   id of the executor that ran it
 * @param gpu        GPU address that Spark assigned to it; −1 for none
 * @param modelLoads 1 for the first task that uses a newly loaded teacher, 0 for others
 * @param halvings   number of times the batch size was halved because memory ran out
 * @param positions  scored positions
 * @param bytes      bytes of the written file
 * @param seconds    time that the teacher spent scoring
 * @param storing    seconds spent encoding and writing, partly while the teacher was scoring
 * @param lossSum    sum over positions of the teacher's −log p of the target token, in nats
 * @param entropySum sum over positions of the teacher's entropy, in nats
 * @param work       model FLOPs and what the device could have done in {@code seconds}
 * @param unscored   reasons, by key, of the sequences that the teacher could not score
 */
record ShardResult(String executor, int gpu, int modelLoads, int halvings, long positions, long bytes, double seconds, double storing,
        double lossSum, double entropySum, DeviceWork work, Map<String, String> unscored) implements Serializable {
}
