// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.spark.train.exchange.DriverSlice;
import org.potstill.spark.train.exchange.Exchange;
import org.potstill.spark.train.exchange.ExecutorState;
import org.potstill.spark.train.exchange.Peer;
import org.potstill.spark.train.exchange.PeerMessages;
import org.potstill.spark.train.exchange.PeersLostException;
import org.potstill.spark.train.exchange.StateSource;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.StateLayout;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The driver's handle to a round's initial state: it tracks which executors hold the state and contains none of it. The first
 * state is the driver's own, distributed to executors; later ones are averages of the previous round's results, which stay on the
 * workers' executors ({@link ExecutorState}).
 *
 * <p>Every executor that has begun a round holds the whole state. If executors die between two rounds, before any other has begun,
 * their workers' steps of the previous round are repeated. If all die, the state is lost.
 */
public final class DistributedState {
    private static final Logger LOG = LoggerFactory.getLogger(DistributedState.class);
    private static final int RUN_BITS = 256;
    private static final int END_SECONDS = 10;
    /** Maximum repairs per round; if more are needed, the cause is not the death of executors. */
    private static final int MAX_REPAIRS = 8;

    private final Run run;
    private AveragingRound madeBy;
    private StateSource source;
    private final List<StateSource.Contribution> workersLast;
    private int repairs;

    /**
     * Common data of all states of a training run.
     *
     * @param id     the run's unguessable id
     * @param layout layout of the states
     * @param peers  executors that have, or had, data of the run
     * @param simd   the {@link org.potstill.spark.train.exchange.StudentPool#simd} of those that have taken steps
     * @param places where each worker took its last steps, see {@link #place}
     */
    private record Run(JavaSparkContext sc, String id, StateLayout layout, Set<Peer> peers, Set<String> simd, Map<Integer, String> places) {
    }

    private DistributedState(Run run, AveragingRound madeBy, StateSource source, List<StateSource.Contribution> workersLast) {
        this.run = run;
        this.madeBy = madeBy;
        this.source = source;
        this.workersLast = List.copyOf(workersLast);
    }

    /** Creates the first state of a run from the driver's copy. */
    public static DistributedState of(JavaSparkContext sc, StateCopy copy, int workers) {
        String id = new BigInteger(RUN_BITS, new SecureRandom()).toString(16);
        return of(new Run(sc, id, copy.layout(workers), ConcurrentHashMap.newKeySet(), new TreeSet<>(), new HashMap<>()), 0, copy);
    }

    private static DistributedState of(Run run, long version, StateCopy copy) {
        // Slice by slice: each is small enough for Spark to broadcast.
        List<DriverSlice> slices = new ArrayList<>();
        for (int i = 0; i < run.layout().slices(); i++) {
            slices.add(run.sc().isLocal() ? new DriverSlice.OfCopy(copy, run.layout(), i)
                    : new DriverSlice.Sent(run.sc().broadcast(copy.cut(run.layout(), i))));
        }
        return new DistributedState(run, null, StateSource.ofDriver(run.id(), version, slices), List.of());
    }

    StateLayout layout() {
        return run.layout();
    }

    StateSource source() {
        return source;
    }

    /** Returns every worker's last result, empty for the driver's copy. */
    List<StateSource.Contribution> workersLast() {
        return workersLast;
    }

    /**
     * Records an executor to notify when the run ends.
     *
     * @param result of a worker there
     */
    void remember(int worker, LocalSteps.Result result) {
        if (result.at() != null) {
            run.peers().add(result.at());
        }
        if (result.simd() != null) {
            run.simd().add(result.simd());
            run.places().put(worker, result.place());
        }
    }

    /** Returns where a worker took its last steps, as Spark's scheduler names an executor; null if it has taken none. */
    String place(int worker) {
        return run.places().get(worker);
    }

    /** Returns the {@link org.potstill.spark.train.exchange.StudentPool#simd} of all executors that have taken steps in this run. */
    public Set<String> simd() {
        return run.simd();
    }

    /** Returns the average of the workers' results of a round that began with this state. */
    DistributedState next(AveragingRound round, boolean whole, List<StateSource.Contribution> made) {
        return new DistributedState(run, round, source.average(whole, made), made);
    }

    /**
     * Returns the state after a round that closed without late workers.
     *
     * @param made   what the round took
     * @param others the last results of workers that it closed without
     * @param needed versions at which workers began that have not ended their round
     */
    DistributedState nextWithout(List<StateSource.Contribution> others, List<StateSource.Contribution> made, Set<Long> needed) {
        List<StateSource.Contribution> all = new ArrayList<>(made);
        all.addAll(others);
        return new DistributedState(run, null, source.average(false, made).keeping(needed), all);
    }

    /**
     * Repeats the previous round's work of lost executors, while no executor has the whole of this state.
     *
     * @throws StateLostException if that is not possible
     */
    void makeUpFor(PeersLostException lost) {
        if (madeBy == null || repairs == MAX_REPAIRS) {
            throw new StateLostException(lost);
        }
        repairs++;
        LOG.warn("repeating the previous round's steps of the workers at {}: their results cannot be fetched", lost.peers(), lost);
        source = source.with(madeBy.again(lost));
    }

    /**
     * Fetches the whole state to the driver's disk.
     *
     * @param copy receives the state
     * @throws StateLostException if it is lost
     */
    public void collect(StateCopy copy) {
        Set<Peer> silent = new HashSet<>();
        for (int i = 0; i < layout().slices();) {
            try {
                copy.paste(source.fetch(i, layout(), null, silent), layout(), i);
                i++;
            } catch (PeersLostException e) {
                makeUpFor(e);
                silent.clear();
            }
        }
    }

    /** Releases what only {@link #makeUpFor} needs, once executors hold the whole of this state. */
    void forgetPast() {
        if (madeBy != null) {
            madeBy.release();
            madeBy = null;
        }
    }

    /** Replaces this lost state by the driver's copy. */
    public DistributedState replacedBy(StateCopy copy) {
        forgetPast();
        return of(run, source.version() + 2, copy);
    }

    /** Frees the executors' broadcast copies of the driver's slices; the state itself stays. */
    void unpersist() {
        source.begin().forEach(DriverSlice::unpersist);
    }

    /** Releases the driver's slices. */
    void release() {
        source.begin().forEach(DriverSlice::release);
    }

    /**
     * Makes executors free all data of the run; executors that do not answer are taken to have ended. Throws no exception, as
     * training may already have failed.
     */
    public void end() {
        if (run.sc().sc().isStopped()) {
            return;
        }
        try {
            forgetPast();
            release();
            Exchange exchange = Exchange.get();
            CompletableFuture.allOf(run.peers().stream().map(peer -> exchange.ask(peer, PeerMessages.Question.end(run.id())).exceptionally(e -> {
                LOG.debug("{} does not answer", peer, e);
                return null;
            })).toArray(CompletableFuture[]::new)).completeOnTimeout(null, END_SECONDS, TimeUnit.SECONDS).join();
        } catch (Exception e) {
            LOG.warn("executors may keep the state of this training run in memory", e);
        }
    }
}
