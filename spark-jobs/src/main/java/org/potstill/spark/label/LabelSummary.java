// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.List;
import org.potstill.spark.hardware.Cost;
import org.potstill.spark.hardware.DeviceShare;

/**
 * Summary of a teacher pass.
 *
 * @param source      settings that say where the corpus is, and versions of its tables
 * @param corpus      what the corpus consists of
 * @param scoredTokens positions the teacher scored in this run; those in the cache cost nothing
 * @param bytes       bytes written to the cache
 * @param files       files written to the cache
 * @param seconds     wall-clock time, including reading and tokenizing
 * @param storing     seconds that tasks spent encoding and writing, partly while the teacher was scoring
 * @param teacherLoss mean −log p, in nats, of the scored tokens; NaN if there were none
 * @param teacherEntropy mean entropy, in nats, of its distributions at them; NaN if there were none
 * @param teacher     name of its file or folder
 * @param precision   cost of the teacher's precision; null in FP32 or if nothing was scored
 * @param executors   work of each executor and GPU
 * @param cache       folder of these labels
 * @param reuse       parts of the corpus that were read, and those that did not have to be
 * @param hardware    the teacher's model FLOPs as a share of the peak while it was scoring; null if nothing was scored, a server scored, or the
 *                    model's shape is unknown
 * @param cost        of the executors; null without a price or if nothing was scored
 */
public record LabelSummary(JsonNode source, CorpusCount corpus, long scoredTokens, long bytes, int files, double seconds, double storing,
        double teacherLoss, double teacherEntropy, String teacher, PrecisionCost precision, List<ExecutorShare> executors, String cache,
        CorpusReuse reuse, DeviceShare hardware, Cost cost) {
}
