package org.potstill.spark.train;

import java.io.Serializable;
import org.apache.spark.Partitioner;

/**
 * Which sequence is learnt when and by whom. An epoch puts all sequences in an order; they are cut into batches; batches
 * are dealt to the workers in turn; a round is {@code localSteps} batches of each worker, and then the average. Nothing
 * is left out: the last batch, the last step and the last round may be short, and the average weighs by tokens.
 *
 * @param sequences  in an epoch
 * @param batchSize  sequences per local step
 * @param workers    that train side by side
 * @param localSteps of each worker between two averagings
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

    /** The first step of a round, counted over all epochs. */
    public int firstStep(int epoch, int round) {
        return epoch * stepsPerEpoch() + round * localSteps;
    }

    /** @param index of the sequence in the epoch's order */
    public int round(long index) {
        return (int) (index / batchSize / workers / localSteps);
    }

    /** @param index of the sequence in the epoch's order */
    public int worker(long index) {
        return (int) (index / batchSize % workers);
    }

    /** Puts what a worker learns in a round into one partition: those of round r are [r·workers, (r + 1)·workers). */
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
