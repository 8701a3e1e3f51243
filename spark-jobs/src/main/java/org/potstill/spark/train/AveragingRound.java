package org.potstill.spark.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.apache.spark.HashPartitioner;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.PartitionPruningRDD;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.student.StepLoss;
import scala.Tuple2;
import scala.runtime.AbstractFunction1;

/**
 * One round of parameter averaging (local SGD; McMahan et al., arXiv 1602.05629): every worker begins at the average,
 * takes its local steps on its own batches, and the results are averaged by tokens.
 *
 * <p>The averaging is a reduce-scatter through Spark's shuffle and an all-gather through its block manager (as in BigDL,
 * arXiv 1804.05839): each worker's state is cut into slices, each of as many tasks averages one slice of all workers', and
 * the averages stay on the executors, where the next round's workers fetch them. An executor sends and receives two states
 * a round, be there two workers or sixty-four; the driver sees losses alone.
 *
 * <p>What an executor's loss costs is that executor's work of this round: the state, and the sequences that a round is made
 * of, lie on two executors each, so that no other worker's steps, and no sequence, have to be made again.
 */
final class AveragingRound {
    private final JavaSparkContext sc;
    private final WorkerSetup setup;
    private final TrainingPlan plan;

    AveragingRound(JavaSparkContext sc, WorkerSetup setup, TrainingPlan plan) {
        this.sc = sc;
        this.setup = setup;
        this.plan = plan;
    }

    /**
     * What a round came to.
     *
     * @param state  the average
     * @param losses of each step, the mean over the workers' positions
     */
    record Outcome(DistributedState state, List<StepLoss> losses) {
    }

    /**
     * @param state       that the round begins with; released
     * @param epochBlocks the epoch's sequences, partitioned by {@link TrainingPlan#partitioner}
     */
    Outcome run(DistributedState state, JavaPairRDD<Long, LabelledSequence> epochBlocks, int epoch, int round) {
        DistributedState begin = state.withShortLineage();
        JavaPairRDD<Long, LabelledSequence> blocks = blocksOf(epochBlocks, round).persist(DistributedState.storageLevel(sc));
        LocalSteps steps = new LocalSteps(setup, plan, plan.firstStep(epoch, round));
        WorkerSetup setup = this.setup;
        JavaRDD<StateSlice> averaged = Everywhere.of(begin.slices(), plan.workers()).zipPartitions(blocks, steps::train)
                .mapToPair(slice -> new Tuple2<>(slice._1(), List.of(slice._2())))
                // It combines before the shuffle, where there is nothing to combine, but Spark then writes all slices to one file at once.
                .reduceByKey(new HashPartitioner(begin.slicing().count()), AveragingRound::joined)
                .zipPartitions(begin.slices(), (ofWorkers, slice) -> List.of(WorkerSlice.average(ofWorkers.next()._2(), setup.payload(),
                        setup.outer(), slice.next())).iterator());
        DistributedState end = begin.next(averaged);
        List<List<StepLoss>> losses = averaged.flatMap(slice -> slice.losses().iterator()).collect();
        // The slices' files; those that the epoch's sequences came by stay, as a persisted RDD lies between.
        averaged.rdd().cleanShuffleDependencies(false);
        blocks.unpersist(false);
        begin.release();
        return new Outcome(end, meanOfSteps(losses));
    }

    private JavaPairRDD<Long, LabelledSequence> blocksOf(JavaPairRDD<Long, LabelledSequence> epochBlocks, int round) {
        return JavaPairRDD.fromRDD(
                PartitionPruningRDD.create(epochBlocks.rdd(), new OfRound(round, plan.workers())),
                scala.reflect.ClassTag$.MODULE$.apply(Long.class),
                scala.reflect.ClassTag$.MODULE$.apply(LabelledSequence.class));
    }

    private static List<WorkerSlice> joined(List<WorkerSlice> some, List<WorkerSlice> others) {
        return Stream.concat(some.stream(), others.stream()).toList();
    }

    private static List<StepLoss> meanOfSteps(List<List<StepLoss>> ofWorkers) {
        TreeMap<Integer, List<StepLoss>> byStep = new TreeMap<>();
        for (List<StepLoss> ofWorker : ofWorkers) {
            for (int i = 0; i < ofWorker.size(); i++) {
                byStep.computeIfAbsent(i, key -> new ArrayList<>()).add(ofWorker.get(i));
            }
        }
        return byStep.values().stream().map(Losses::mean).toList();
    }

    /** The partitions of one round. */
    private static final class OfRound extends AbstractFunction1<Object, Object> implements Serializable {
        private static final long serialVersionUID = 1L;
        private final int round;
        private final int workers;

        OfRound(int round, int workers) {
            this.round = round;
            this.workers = workers;
        }

        @Override
        public Object apply(Object partition) {
            return (Integer) partition / workers == round;
        }
    }
}
