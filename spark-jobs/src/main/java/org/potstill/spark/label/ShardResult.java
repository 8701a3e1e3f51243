package org.potstill.spark.label;

import java.io.Serializable;
import java.util.Map;

/**
 * What one task of the teacher pass did.
 *
 * @param executor   that ran it
 * @param gpu        address that Spark gave it; −1 for none
 * @param modelLoads 1 where it was the first to use what was loaded, 0 elsewhere
 * @param halvings   of batches, for want of memory
 * @param positions  scored
 * @param bytes      of the file written
 * @param seconds    that the teacher worked
 * @param storing    seconds that encoding and writing took, in part while the teacher worked on
 * @param lossSum    sum over positions of the teacher's −log p of the token that came next
 * @param entropySum sum over positions of the teacher's entropy, in nats
 * @param unscored   why, by key, of the sequences that the teacher could say nothing of use about
 */
record ShardResult(String executor, int gpu, int modelLoads, int halvings, long positions, long bytes, double seconds, double storing,
        double lossSum, double entropySum, Map<String, String> unscored) implements Serializable {
}
