// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.spark.FutureAction;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.potstill.spark.train.data.EpochFiles;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.exchange.StateSource;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.loss.StepLoss;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import scala.Function1;
import scala.collection.Iterator;
import scala.collection.immutable.List$;
import scala.concurrent.ExecutionContext$;
import scala.runtime.BoxedUnit;

/**
 * The rounds of a {@link Stretch} before the whole one, each of which may close without late workers. A round closes when all workers are
 * done that have rounds left, or a grace time after half of them are. It averages the differences of those that are done; these go on from
 * the average. A late worker steps on from where it began, and its difference counts in the round that closes after it is done, weighted by
 * positions like all others. Each worker learns all its sequences of the stretch; late ones have the last rounds to themselves.
 *
 * <p>Which workers a round closed without is a matter of time. All else follows from it, so a stretch repeated with what was recorded of it
 * leads to the same bytes.
 */
public final class GraceRounds implements AutoCloseable {
    /** Maximum number of rounds that a worker may be behind another; a round waits for one that is as many behind. */
    static final int MAX_BEHIND = 4;
    private static final Logger LOG = LoggerFactory.getLogger(GraceRounds.class);

    private final JavaSparkContext sc;
    private final WorkerSetup setup;
    private final TrainingPlan plan;
    private final EpochFiles sequences;
    private final Stretch stretch;
    private final double grace;
    private final List<List<Integer>> late;
    private final DistributedState first;
    private DistributedState state;
    private int closed;
    /** By worker, the number of its rounds that are averaged. */
    private final int[] done;
    /** Version at which each worker began that is stepping. */
    private final TreeMap<Integer, Long> stepping = new TreeMap<>();
    /** Results not yet averaged. */
    private final TreeMap<Integer, LocalSteps.Result> reached = new TreeMap<>();
    private final Map<Integer, StateSource.Contribution> averaged = new TreeMap<>();
    /** By step of the stretch, then by worker. */
    private final TreeMap<Integer, TreeMap<Integer, StepLoss>> losses = new TreeMap<>();
    private final Map<Integer, Integer> lateRounds = new HashMap<>();
    private final BlockingQueue<Arrival> arrivals = new LinkedBlockingQueue<>();
    private final List<FutureAction<?>> jobs = new ArrayList<>();
    private boolean isFirstReleased;

    /**
     * What a Spark job reports.
     *
     * @param result  of a worker; null if the job failed
     * @param failure why it failed
     */
    private record Arrival(int worker, LocalSteps.Result result, Throwable failure) {
    }

    /**
     * Prepares the rounds.
     *
     * @param begin a whole state
     * @param grace seconds after which a round closes; 0 to wait for all workers
     * @param late  the workers that each round closed without, as far as known; further rounds are added
     */
    public GraceRounds(JavaSparkContext sc, WorkerSetup setup, TrainingPlan plan, DistributedState begin, EpochFiles sequences, Stretch stretch, double grace,
            List<List<Integer>> late) {
        this.sc = sc;
        this.setup = setup;
        this.plan = plan;
        this.sequences = sequences;
        this.stretch = stretch;
        this.grace = grace;
        this.late = late;
        this.first = begin;
        this.state = begin;
        this.done = new int[plan.workers()];
    }

    /** Whether a worker has rounds left. */
    public boolean hasNext() {
        return Arrays.stream(done).anyMatch(rounds -> rounds < stretch.rounds());
    }

    /** Returns the last round, of the epoch, that a worker has done. */
    public int round() {
        return stretch.begin() + Arrays.stream(done).max().orElseThrow() - 1;
    }

    /** Returns the mean loss of each step over all workers, once all rounds are done. */
    public List<StepLoss> history() {
        return losses.values().stream().map(ofWorkers -> Losses.mean(List.copyOf(ofWorkers.values()))).toList();
    }

    /**
     * Trains until the next round closes.
     *
     * @throws StateLostException if the state, or what a worker keeps, is lost
     */
    public AveragingRound.Outcome next() {
        if (closed == 0) {
            launch(IntStream.range(0, plan.workers()).boxed().toList());
        }
        List<Integer> without = closed < late.size() ? awaitRecorded(late.get(closed)) : awaitGrace();
        if (closed == late.size()) {
            late.add(without);
        }
        closed++;
        TreeMap<Integer, LocalSteps.Result> taken = new TreeMap<>(reached);
        taken.keySet().removeAll(without);
        reached.keySet().removeAll(taken.keySet());
        taken.forEach(this::count);
        without.forEach(this::tellOfLate);
        List<StateSource.Contribution> made = taken.values().stream().map(LocalSteps.Result::made).toList();
        List<StateSource.Contribution> others = averaged.values().stream().filter(c -> !taken.containsKey(c.worker())).toList();
        made.forEach(c -> averaged.put(c.worker(), c));
        state = state.nextWithout(others, made, new HashSet<>(stepping.values()));
        launch(taken.keySet().stream().filter(worker -> done[worker] < stretch.rounds()).toList());
        if (!stepping.containsValue(first.source().version())) {
            releaseFirst();
        }
        return AveragingRound.Outcome.of(state, taken.values(), taken.values().stream().map(LocalSteps.Result::use).toList(), without);
    }

    private void count(int worker, LocalSteps.Result result) {
        int firstStep = done[worker] * plan.localSteps();
        for (int i = 0; i < result.losses().size(); i++) {
            losses.computeIfAbsent(firstStep + i, key -> new TreeMap<>()).put(worker, result.losses().get(i));
        }
        done[worker]++;
    }

    /** Tells of a worker that was late for the first, second, fourth, eighth … time. */
    private void tellOfLate(int worker) {
        int rounds = lateRounds.merge(worker, 1, Integer::sum);
        if (Integer.bitCount(rounds) == 1) {
            StateSource.Contribution before = averaged.get(worker);
            LOG.info("worker {}{} was late in {} of the last {} rounds", worker, before == null ? "" : " at " + before.at(), rounds, closed);
        }
    }

    private List<Integer> awaitRecorded(List<Integer> without) {
        while (stepping.keySet().stream().anyMatch(worker -> !without.contains(worker))) {
            arrive(Long.MAX_VALUE);
        }
        return without;
    }

    /** Waits for all workers or the grace time. Returns those that are still stepping. */
    private List<Integer> awaitGrace() {
        Long half = null;
        while (!stepping.isEmpty()) {
            if (half == null && reached.size() >= stepping.size()) {
                half = System.nanoTime();
            }
            long left = half == null || grace == 0 || !mayClose() ? Long.MAX_VALUE : (long) (grace * 1e9) - (System.nanoTime() - half);
            if (!arrive(Math.max(0, left)) && left <= 0) {
                break;
            }
        }
        return List.copyOf(stepping.keySet());
    }

    /**
     * Whether the round may close with the workers that are done. One of them must have begun at the newest average, and one must begin at
     * the next, as executors make each average from the one before.
     */
    private boolean mayClose() {
        int most = reached.keySet().stream().mapToInt(worker -> done[worker] + 1).max().orElseThrow();
        return reached.values().stream().anyMatch(result -> result.made().from() == state.source().version())
                && reached.keySet().stream().anyMatch(worker -> done[worker] + 1 < stretch.rounds())
                && stepping.keySet().stream().noneMatch(worker -> most - done[worker] > MAX_BEHIND);
    }

    /** Waits for the next result; returns whether there was one in time. */
    private boolean arrive(long nanos) {
        Arrival arrival;
        try {
            arrival = arrivals.poll(nanos, TimeUnit.NANOSECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted", e);
        }
        if (arrival == null) {
            return false;
        } else if (arrival.failure() != null) {
            throw new IllegalStateException("a worker's steps failed", arrival.failure());
        }
        state.remember(arrival.worker(), arrival.result());
        if (arrival.result().failed() != null) {
            throw arrival.result().failed();
        } else if (arrival.result().missed() != null) {
            throw new StateLostException(arrival.result().missed());
        }
        stepping.remove(arrival.worker());
        reached.put(arrival.worker(), arrival.result());
        return true;
    }

    /** Starts the next rounds of workers, from the current state. */
    @SuppressWarnings("unchecked") // The partitions are Scala's Ints.
    private void launch(List<Integer> workers) {
        if (workers.isEmpty()) {
            return;
        }
        LocalSteps steps = new LocalSteps(setup, sequences, state.layout(), state.source(), state.workersLast(), false, stretch.epoch(), stretch.begin());
        int[] rounds = Arrays.stream(done).map(before -> stretch.begin() + before).toArray();
        RDD<LocalSteps.Result> trained = AveragingRound.workers(sc, plan.workers(), state, true)
                .map(worker -> steps.in(rounds[worker]).train(worker)).rdd();
        scala.collection.immutable.List<Object> partitions = List$.MODULE$.empty();
        for (int worker : workers) {
            partitions = partitions.$colon$colon(worker);
            stepping.put(worker, state.source().version());
        }
        int[] numbers = workers.stream().mapToInt(i -> i).toArray();
        FutureAction<Object> job = sc.sc().submitJob(trained, (Function1<Iterator<LocalSteps.Result>, LocalSteps.Result> & Serializable) Iterator::next,
                partitions.reverse(), (index, result) -> {
                    arrivals.add(new Arrival(numbers[(Integer) index], result, null));
                    return BoxedUnit.UNIT;
                }, () -> BoxedUnit.UNIT);
        job.onComplete(ended -> {
            if (ended.isFailure()) {
                arrivals.add(new Arrival(-1, null, ended.failed().get()));
            }
            return BoxedUnit.UNIT;
        }, ExecutionContext$.MODULE$.fromExecutor(Runnable::run));
        jobs.removeIf(FutureAction::isCompleted);
        jobs.add(job);
    }

    /** Releases what the driver keeps for those that begin at the first state. */
    private void releaseFirst() {
        if (!isFirstReleased) {
            isFirstReleased = true;
            first.forgetPast();
            first.release();
        }
    }

    /** Ends what still steps. */
    @Override
    public void close() {
        if (!stepping.isEmpty()) {
            jobs.forEach(FutureAction::cancel);
        }
        if (state != first) {
            releaseFirst();
        }
    }
}
