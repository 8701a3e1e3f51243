// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.Serializable;

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

    /**
     * Returns a sequence's number in the order in which workers read, which is by round, worker and step: a worker's sequences of a
     * round have consecutive numbers. The numbers of a short round have gaps.
     *
     * @param index of the sequence in the epoch's order
     */
    public long slot(long index) {
        long step = index / batchSize / workers % localSteps;
        return firstSlot(round(index), worker(index)) + step * batchSize + index % batchSize;
    }

    /** Returns the first {@link #slot} of a worker in a round. */
    public long firstSlot(int round, int worker) {
        return ((long) round * workers + worker) * localSteps * batchSize;
    }

    /** Returns the number of slots of an epoch. */
    public long slots() {
        return firstSlot(roundsPerEpoch(), 0);
    }

    /** Returns the number of steps that a worker takes in a round. */
    public int steps(int round, int worker) {
        long left = batches() - firstBatch(round, worker);
        return (int) Math.min(localSteps, Math.max(0, divideUp(left, workers)));
    }

    /** Returns the number of sequences of a worker's step, counted from the beginning of the round. */
    public int batch(int round, int worker, int step) {
        return (int) Math.min(batchSize, sequences - (firstBatch(round, worker) + (long) step * workers) * batchSize);
    }

    private long firstBatch(int round, int worker) {
        return (long) round * localSteps * workers + worker;
    }

    static long divideUp(long a, long b) {
        return (a + b - 1) / b;
    }
}
