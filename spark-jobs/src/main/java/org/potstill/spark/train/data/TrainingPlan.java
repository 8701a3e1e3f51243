// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.Serializable;
import org.apache.spark.Partitioner;

/**
 * Assignment of sequences to steps and workers. An epoch orders all sequences and divides them into batches, which are assigned to
 * workers round-robin; a round is {@code localSteps} batches per worker, followed by averaging. No sequence is left out: the last
 * batch, step and round may be short, and averaging weights workers by positions.
 *
 * @param sequences  sequences per epoch
 * @param batchSize  sequences per local step
 * @param workers    number of workers
 * @param localSteps steps per worker between two averagings
 * @param epochs     passes over the data
 */
public record TrainingPlan(long sequences, int batchSize, int workers, int localSteps, int epochs) implements Serializable {
    public long batches() {
        return divideUp(sequences, batchSize);
    }

    public int stepsPerEpoch() {
        return Math.toIntExact(divideUp(batches(), workers));
    }

    public int roundsPerEpoch() {
        return Math.toIntExact(divideUp(stepsPerEpoch(), localSteps));
    }

    public int totalSteps() {
        return Math.multiplyExact(stepsPerEpoch(), epochs);
    }

    /** Returns the number of a round's first step, counted over all epochs. */
    public int firstStep(int epoch, int round) {
        return epoch * stepsPerEpoch() + round * localSteps;
    }

    /**
     * Returns the round that learns a sequence.
     *
     * @param index of the sequence in the epoch's order
     */
    public int round(long index) {
        return (int) (index / batchSize / workers / localSteps);
    }

    /**
     * Returns the worker that learns a sequence.
     *
     * @param index of the sequence in the epoch's order
     */
    public int worker(long index) {
        return (int) (index / batchSize % workers);
    }

    /** Returns a partitioner with one partition per worker and round: those of round r are [r·workers, (r + 1)·workers). */
    public Partitioner partitioner() {
        TrainingPlan plan = this;
        return new Partitioner() {
            private static final long serialVersionUID = 1L;

            @Override
            public int numPartitions() {
                return Math.multiplyExact(plan.roundsPerEpoch(), plan.workers());
            }

            @Override
            public int getPartition(Object index) {
                return plan.round((Long) index) * plan.workers() + plan.worker((Long) index);
            }
        };
    }

    private static long divideUp(long a, long b) {
        return (a + b - 1) / b;
    }
}
