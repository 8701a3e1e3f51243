package org.potstill.spark.train;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.PartitionPruningRDD;
import org.apache.spark.storage.StorageLevel;
import org.potstill.spark.Cluster;
import org.potstill.student.StepLoss;
import scala.runtime.AbstractFunction1;

/**
 * One round of parameter averaging (local SGD; McMahan et al., arXiv 1602.05629): every worker begins at the average,
 * takes its local steps on its own batches, and the results are averaged by tokens.
 *
 * <p>The averaging is a reduce-scatter and an all-gather between executors (as in BigDL, arXiv 1804.05839), and both wait for the
 * round that needs the average: each executor owns slices of the state; when the next round begins, it fetches all workers' values
 * of those, averages them, and fetches the other slices from their owners ({@link ExecutorState}). So an executor sends and
 * receives some two states a round, be there two workers or sixty-four; the driver sees losses alone; and a round is one Spark job.
 *
 * <p>What an executor's loss costs is that executor's work of this round: all others have the state that the round began with,
 * and the sequences that it is made of lie on two executors.
 */
final class AveragingRound {
    private final WorkerSetup setup;
    private final TrainingPlan plan;
    private final DistributedState begin;
    private final JavaPairRDD<Long, LearntSequence> blocks;
    private final int firstStep;
    private final TreeMap<Integer, LocalSteps.Result> results = new TreeMap<>();

    /**
     * @param begin       the state that it begins with
     * @param epochBlocks the epoch's sequences, partitioned by {@link TrainingPlan#partitioner}
     */
    AveragingRound(JavaSparkContext sc, WorkerSetup setup, TrainingPlan plan, DistributedState begin,
            JavaPairRDD<Long, LearntSequence> epochBlocks, int epoch, int round) {
        this.setup = setup;
        this.plan = plan;
        this.begin = begin;
        this.firstStep = plan.firstStep(epoch, round);
        this.blocks = JavaPairRDD.fromRDD(
                PartitionPruningRDD.create(epochBlocks.rdd(), new OfRound(round, plan.workers())),
                scala.reflect.ClassTag$.MODULE$.apply(Long.class),
                scala.reflect.ClassTag$.MODULE$.apply(LearntSequence.class))
                .persist(Cluster.executors(sc) > 1 ? StorageLevel.MEMORY_AND_DISK_2() : StorageLevel.MEMORY_AND_DISK());
    }

    /**
     * What a round came to.
     *
     * @param state  the average
     * @param losses of each step, the mean over the workers' positions
     */
    record Outcome(DistributedState state, List<StepLoss> losses) {
    }

    /** @throws StateLostException if the state that it begins with is no more */
    Outcome run() {
        Set<Peer> lost = new HashSet<>();
        StateSource source = begin.source();
        while (results.size() < plan.workers()) {
            int[] workers = IntStream.range(0, plan.workers()).filter(w -> !results.containsKey(w)).toArray();
            try {
                train(source, workers);
            } catch (PeersLostException e) {
                // Another executor may listen where one died.
                made().stream().filter(c -> Arrays.binarySearch(workers, c.worker()) >= 0).forEach(c -> lost.remove(c.at()));
                List<Peer> holders = lost.addAll(e.peers()) ? holders(lost) : List.of();
                if (holders.isEmpty()) {
                    begin.makeUpFor(new PeersLostException(lost, e));
                    begin.source().made().forEach(c -> lost.remove(c.at()));
                }
                source = holders.isEmpty() ? begin.source() : begin.source().heldBy(holders);
            }
        }
        begin.forgetPast();
        begin.unpersist();
        return new Outcome(begin.next(this, made()), meanOfSteps());
    }

    /** Has workers train, and keeps the results of those that could begin; throws why others could not. */
    private void train(StateSource source, int[] workers) throws PeersLostException {
        LocalSteps steps = new LocalSteps(setup, plan, begin.layout(), source, firstStep);
        JavaRDD<LocalSteps.Result> trained = blocks.mapPartitionsWithIndex((worker, block) -> List.of(steps.train(worker, block)).iterator(), true);
        List<LocalSteps.Result>[] answers = trained.collectPartitions(workers);
        PeersLostException missed = null;
        for (int i = 0; i < workers.length; i++) {
            LocalSteps.Result result = answers[i].get(0);
            begin.remember(result.at());
            if (result.missed() == null) {
                results.put(workers[i], result);
            } else {
                missed = result.missed().and(missed);
            }
        }
        if (missed != null) {
            throw missed;
        }
    }

    /** Of its beginning. */
    private List<Peer> holders(Set<Peer> lost) {
        return made().stream().map(StateSource.Contribution::at).distinct().filter(peer -> !lost.contains(peer)).toList();
    }

    private List<StateSource.Contribution> made() {
        return results.values().stream().map(LocalSteps.Result::made).filter(Objects::nonNull).toList();
    }

    /**
     * Once it is over: has the steps of workers taken again whose executors were lost.
     *
     * @return all workers' results
     * @throws StateLostException if nobody has the state that it began with
     */
    List<StateSource.Contribution> again(PeersLostException lost) {
        List<Peer> holders = holders(lost.peers());
        int[] workers = made().stream().filter(c -> lost.peers().contains(c.at())).mapToInt(StateSource.Contribution::worker).toArray();
        boolean driverHasIt = !begin.source().begin().isEmpty();
        if (workers.length == 0 || holders.isEmpty() && !driverHasIt) {
            throw new StateLostException(lost);
        }
        try {
            train(driverHasIt ? begin.source() : begin.source().heldBy(holders), workers);
        } catch (PeersLostException e) {
            throw new StateLostException(e);
        }
        return made();
    }

    /** Gives back what only {@link #again} needs. */
    void release() {
        blocks.unpersist(false);
        begin.release();
    }

    private List<StepLoss> meanOfSteps() {
        TreeMap<Integer, List<StepLoss>> byStep = new TreeMap<>();
        for (LocalSteps.Result ofWorker : results.values()) {
            for (int i = 0; i < ofWorker.losses().size(); i++) {
                byStep.computeIfAbsent(i, key -> new ArrayList<>()).add(ofWorker.losses().get(i));
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
