package org.potstill.spark.label;

import java.util.List;

/**
 * What a teacher pass did.
 *
 * @param corpus      what there was to label
 * @param scoredTokens positions the teacher scored in this run; those in the cache cost nothing
 * @param bytes       written to the cache
 * @param files       written to the cache
 * @param seconds     of wall time, reading and tokenizing included
 * @param storing     seconds that tasks spent encoding and writing, in part while the teacher worked on
 * @param teacherLoss mean −log p, in nats, of the scored tokens; NaN when there were none
 * @param teacherEntropy mean entropy, in nats, of its distributions over them; NaN when there were none
 * @param teacher     name of its file or folder
 * @param precision   what that of the teacher cost; null in FP32, and where nothing was scored
 * @param executors   what each of them did, on each of its GPUs
 * @param cache       folder of these labels
 */
public record LabelSummary(CorpusCount corpus, long scoredTokens, long bytes, int files, double seconds, double storing, double teacherLoss,
        double teacherEntropy, String teacher, PrecisionCost precision, List<ExecutorShare> executors, String cache) {
}
