package org.potstill.spark.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.TreeMap;
import org.apache.spark.HashPartitioner;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.rdd.PartitionPruningRDD;
import org.apache.spark.storage.StorageLevel;
import org.potstill.spark.Cluster;
import org.potstill.spark.JobErrors;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.student.StepLoss;
import scala.Tuple2;
import scala.runtime.AbstractFunction1;

/**
 * One round of parameter averaging (local SGD; McMahan et al., arXiv 1602.05629): every worker begins at the average,
 * takes its local steps on its own batches, and the results are averaged by tokens.
 *
 * <p>The averaging is a reduce-scatter through Spark's shuffle: each worker's state is cut into slices, and each of as many
 * tasks averages one slice of all workers'. The driver receives the average once, slice by slice, and broadcasts it once,
 * executors passing its blocks on to each other: it moves two states a round, be there two workers or sixty-four, and so
 * does every executor. Lineage never reaches past a round.
 *
 * <p>What an executor's loss costs is that executor's work of this round: the sequences that a round is made of lie on two
 * executors each, so that no other worker's steps, and no sequence, have to be made again.
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
    record Outcome(ModelState state, List<StepLoss> losses) {
    }

    /** One slice of the average, and the losses of each worker where it is the first. */
    private record AveragedSlice(ModelState state, List<List<StepLoss>> losses) implements Serializable {
    }

    /** @param epochBlocks the epoch's sequences, partitioned by {@link TrainingPlan#partitioner} */
    Outcome run(ModelState begin, JavaPairRDD<Long, LabelledSequence> epochBlocks, int epoch, int round) {
        requireRoom(begin.bytes(), sc.getConf());
        Slicing slicing = Slicing.of(begin, plan.workers());
        Broadcast<ModelState> state = sc.broadcast(begin);
        JavaPairRDD<Long, LabelledSequence> blocks = blocksOf(epochBlocks, round)
                .persist(Cluster.executors(sc) > 1 ? StorageLevel.MEMORY_AND_DISK_SER_2() : StorageLevel.MEMORY_AND_DISK_SER());
        LocalSteps steps = new LocalSteps(setup, plan, slicing, state, plan.firstStep(epoch, round));
        Payload payload = setup.payload();
        JavaRDD<AveragedSlice> averaged = blocks.mapPartitionsToPair(steps::train)
                .partitionBy(new HashPartitioner(slicing.count()))
                .mapPartitionsWithIndex((index, slices) -> average(index, slices, payload, state.value(), slicing), true);
        try {
            return assemble(begin, averaged.collect(), slicing);
        } finally {
            // The slices' files; those that the epoch's sequences came by stay, as a persisted RDD lies between.
            averaged.rdd().cleanShuffleDependencies(false);
            blocks.unpersist(false);
            state.destroy();
        }
    }

    /** Spark counts what a job's tasks return together. */
    static void requireRoom(long stateBytes, SparkConf conf) {
        long limit = conf.getSizeAsBytes("spark.driver.maxResultSize", "1g");
        if (limit > 0 && stateBytes > 0.9 * limit) {
            throw JobErrors.stateTooLarge(stateBytes, limit);
        }
    }

    private JavaPairRDD<Long, LabelledSequence> blocksOf(JavaPairRDD<Long, LabelledSequence> epochBlocks, int round) {
        return JavaPairRDD.fromRDD(
                PartitionPruningRDD.create(epochBlocks.rdd(), new OfRound(round, plan.workers())),
                scala.reflect.ClassTag$.MODULE$.apply(Long.class),
                scala.reflect.ClassTag$.MODULE$.apply(LabelledSequence.class));
    }

    private static Iterator<AveragedSlice> average(int index, Iterator<Tuple2<Integer, WorkerSlice>> slices, Payload payload,
            ModelState begin, Slicing slicing) {
        List<WorkerSlice> ofWorkers = new ArrayList<>();
        slices.forEachRemaining(slice -> ofWorkers.add(slice._2()));
        ModelState average = WorkerSlice.average(ofWorkers, payload, begin, slicing, index);
        return List.of(new AveragedSlice(average, index > 0 ? List.of()
                : WorkerSlice.inOrder(ofWorkers).stream().map(WorkerSlice::losses).toList())).iterator();
    }

    private static Outcome assemble(ModelState like, List<AveragedSlice> slices, Slicing slicing) {
        ModelState whole = new ModelState(new float[like.parameters().length], new float[like.updaterState().length]);
        for (int i = 0; i < slices.size(); i++) {
            place(slices.get(i).state().parameters(), whole.parameters(), slicing, i);
            place(slices.get(i).state().updaterState(), whole.updaterState(), slicing, i);
        }
        TreeMap<Integer, List<StepLoss>> byStep = new TreeMap<>();
        for (List<StepLoss> ofWorker : slices.get(0).losses()) {
            for (int i = 0; i < ofWorker.size(); i++) {
                byStep.computeIfAbsent(i, key -> new ArrayList<>()).add(ofWorker.get(i));
            }
        }
        return new Outcome(whole, byStep.values().stream().map(Losses::mean).toList());
    }

    private static void place(float[] part, float[] whole, Slicing slicing, int index) {
        System.arraycopy(part, 0, whole, slicing.begin(whole.length, index), part.length);
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
