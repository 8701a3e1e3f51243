// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.potstill.spark.train.data.EpochFiles;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.exchange.ExecutorState;
import org.potstill.spark.train.exchange.Peer;
import org.potstill.spark.train.exchange.PeersLostException;
import org.potstill.spark.train.exchange.StateSource;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.loss.StepLoss;
import scala.Tuple2;
import scala.collection.immutable.List$;
import scala.reflect.ClassTag$;

/**
 * One round of parameter averaging (local SGD; McMahan et al., arXiv 1602.05629): every worker starts from the average and takes
 * local steps on its own batches; the results are averaged, weighted by positions.
 *
 * <p>Averaging is a reduce-scatter followed by an all-gather between executors (as in BigDL, arXiv 1804.05839), deferred to the
 * next round: each executor owns slices of the state. When the next round begins, it fetches all workers' values of its slices,
 * averages them, and fetches the other slices from their owners ({@link ExecutorState}). An executor thus sends and receives about
 * two states per round, whatever the number of workers. The driver receives only losses, and a round is one Spark job.
 *
 * <p>With {@link Averaging#PARAMETERS}, each worker keeps its moments, and only packed differences of parameters travel, except in a
 * round whose result is {@code whole}.
 *
 * <p>If rounds overlap, these travel and are averaged while the next round's workers take their first steps, each from where it is. A worker
 * then moves by what the average differs from that place (as in Streaming DiLoCo, arXiv 2501.18512, which mixes both).
 *
 * <p>If an executor is lost, with {@link Averaging#EVERYTHING} only its work of this round is repeated: all others have the round's initial state. Otherwise
 * its workers' moments are lost, and training goes back to the last copy.
 */
public final class AveragingRound {
    private final WorkerSetup setup;
    private final TrainingPlan plan;
    private final DistributedState begin;
    private final JavaRDD<Integer> workers;
    private final EpochFiles sequences;
    private final int epoch;
    private final int round;
    private final boolean whole;
    private final TreeMap<Integer, LocalSteps.Result> results = new TreeMap<>();
    private final List<WorkerUse> uses = new ArrayList<>();

    /**
     * Prepares a round.
     *
     * @param begin     the round's initial state
     * @param sequences of the epoch
     * @param whole     whether moments are averaged, too, so that the result can be copied; always, with {@link Averaging#EVERYTHING}
     */
    public AveragingRound(JavaSparkContext sc, WorkerSetup setup, TrainingPlan plan, DistributedState begin, EpochFiles sequences, int epoch, int round,
            boolean whole) {
        this.workers = workers(sc, plan.workers(), begin, setup.averaging() == Averaging.PARAMETERS);
        this.whole = whole;
        this.sequences = sequences;
        this.epoch = epoch;
        this.round = round;
        this.setup = setup;
        this.plan = plan;
        this.begin = begin;
    }

    /** Returns the workers' numbers, each as a partition that prefers the executor where the worker's moments may be. */
    @SuppressWarnings({"unchecked", "rawtypes"}) // The element's type is another in Scala 2.13.
    static JavaRDD<Integer> workers(JavaSparkContext sc, int count, DistributedState begin, boolean isKept) {
        scala.collection.immutable.List all = List$.MODULE$.empty();
        for (int worker = count - 1; worker >= 0; worker--) {
            scala.collection.immutable.List<String> nowhere = List$.MODULE$.empty();
            String place = isKept ? begin.place(worker) : null;
            all = all.$colon$colon(new Tuple2<>(worker, place == null ? nowhere : nowhere.$colon$colon(place)));
        }
        RDD<Integer> workers = sc.sc().makeRDD(all, ClassTag$.MODULE$.apply(Integer.class));
        return workers.toJavaRDD();
    }

    /**
     * Result of a round.
     *
     * @param state  the average
     * @param losses mean loss of each step over all workers' positions
     * @param gradientNorm mean over all workers and steps, before clipping
     * @param use    devices and network
     * @param late   workers that the round closed without
     */
    public record Outcome(DistributedState state, List<StepLoss> losses, double gradientNorm, RoundUse use, List<Integer> late) {
        /**
         * Sums up a round.
         *
         * @param results that the state is the average of
         * @param uses    one for each time that a worker tried to begin
         */
        static Outcome of(DistributedState state, Collection<LocalSteps.Result> results, List<WorkerUse> uses, List<Integer> late) {
            List<Peer> peers = results.stream().map(LocalSteps.Result::made).filter(Objects::nonNull).map(StateSource.Contribution::at).toList();
            return new Outcome(state, meanOfSteps(results), gradientNorm(results), RoundUse.of(uses, peers.size(), (int) peers.stream().distinct().count()),
                    late);
        }

        private static double gradientNorm(Collection<LocalSteps.Result> results) {
            long steps = results.stream().mapToLong(result -> result.losses().size()).sum();
            return results.stream().mapToDouble(result -> result.gradientNorm() * result.losses().size()).sum() / steps;
        }

        private static List<StepLoss> meanOfSteps(Collection<LocalSteps.Result> results) {
            TreeMap<Integer, List<StepLoss>> byStep = new TreeMap<>();
            for (LocalSteps.Result ofWorker : results) {
                for (int i = 0; i < ofWorker.losses().size(); i++) {
                    byStep.computeIfAbsent(i, key -> new ArrayList<>()).add(ofWorker.losses().get(i));
                }
            }
            return byStep.values().stream().map(Losses::mean).toList();
        }
    }

    /**
     * Runs the round, repeating the work of executors that are lost.
     *
     * @throws StateLostException if the initial state is lost
     */
    public Outcome run() {
        Set<Peer> lost = new HashSet<>();
        StateSource source = begin.source();
        while (results.size() < plan.workers()) {
            int[] workers = IntStream.range(0, plan.workers()).filter(w -> !results.containsKey(w)).toArray();
            try {
                train(source, workers);
            } catch (PeersLostException e) {
                if (!source.whole()) {
                    // A worker's own moments are needed, and may be lost.
                    throw new StateLostException(e);
                }
                // A new executor may now listen on a dead one's address.
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
        return Outcome.of(begin.next(this, whole, made()), results.values(), uses, List.of());
    }

    /**
     * Trains workers and keeps the results of those that obtained the initial state.
     *
     * @throws PeersLostException if some workers could not obtain it
     */
    private void train(StateSource source, int[] workers) throws PeersLostException {
        LocalSteps steps = new LocalSteps(setup, sequences, begin.layout(), source, begin.workersLast(), whole, epoch, round);
        JavaRDD<LocalSteps.Result> trained = this.workers.map(steps::train);
        List<LocalSteps.Result>[] answers = trained.collectPartitions(workers);
        PeersLostException missed = null;
        for (int i = 0; i < workers.length; i++) {
            LocalSteps.Result result = answers[i].get(0);
            begin.remember(workers[i], result);
            if (result.use() != null) {
                uses.add(result.use());
            }
            if (result.failed() != null) {
                throw result.failed();
            } else if (result.missed() == null) {
                results.put(workers[i], result);
            } else {
                missed = result.missed().and(missed);
            }
        }
        if (missed != null) {
            throw missed;
        }
    }

    /** Returns the executors that hold the round's initial state, except lost ones. */
    private List<Peer> holders(Set<Peer> lost) {
        return made().stream().map(StateSource.Contribution::at).distinct().filter(peer -> !lost.contains(peer)).toList();
    }

    private List<StateSource.Contribution> made() {
        return results.values().stream().map(LocalSteps.Result::made).filter(Objects::nonNull).toList();
    }

    /**
     * Repeats, after the round, the steps of workers whose executors were lost.
     *
     * @return all workers' contributions
     * @throws StateLostException if no executor has the round's initial state any more
     */
    List<StateSource.Contribution> again(PeersLostException lost) {
        List<Peer> holders = holders(lost.peers());
        int[] workers = made().stream().filter(c -> lost.peers().contains(c.at())).mapToInt(StateSource.Contribution::worker).toArray();
        boolean driverHasIt = !begin.source().begin().isEmpty();
        if (setup.averaging() == Averaging.PARAMETERS || workers.length == 0 || holders.isEmpty() && !driverHasIt) {
            throw new StateLostException(lost);
        }
        try {
            train(driverHasIt ? begin.source() : begin.source().heldBy(holders), workers);
        } catch (PeersLostException e) {
            throw new StateLostException(e);
        }
        return made();
    }

    /** Releases what only {@link #again} needs. */
    void release() {
        begin.release();
    }
}
