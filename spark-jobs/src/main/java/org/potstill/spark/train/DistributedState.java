package org.potstill.spark.train;

import java.math.BigInteger;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import org.apache.spark.api.java.JavaSparkContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The state that a round begins with, as the driver sees it: it knows who has it, and holds none of it. First it is the driver's own,
 * broadcast; then the average of what the workers of the round before keep on their executors ({@link ExecutorState}).
 *
 * <p>Every executor that has begun a round has all of that round's state. Those that die before any other has begun, between two
 * rounds, cost the steps of their workers in the round before, which are then taken again; if all die, so does the state.
 */
final class DistributedState {
    private static final Logger LOG = LoggerFactory.getLogger(DistributedState.class);
    private static final int RUN_BITS = 256;
    private static final int END_SECONDS = 10;
    /** Of one round: beyond, it is not executors that die. */
    private static final int MAX_REPAIRS = 8;

    private final Run run;
    private AveragingRound madeBy;
    private StateSource source;
    private int repairs;

    /**
     * What all states of a training run share.
     *
     * @param id     not to be guessed
     * @param layout of the states
     * @param peers  executors that know of it, or did
     */
    private record Run(JavaSparkContext sc, String id, StateLayout layout, Set<Peer> peers) {
    }

    private DistributedState(Run run, AveragingRound madeBy, StateSource source) {
        this.run = run;
        this.madeBy = madeBy;
        this.source = source;
    }

    /** Of what the driver holds. */
    static DistributedState of(JavaSparkContext sc, StateCopy copy, int workers) {
        String id = new BigInteger(RUN_BITS, new SecureRandom()).toString(16);
        return of(new Run(sc, id, copy.layout(workers), ConcurrentHashMap.newKeySet()), 0, copy);
    }

    private static DistributedState of(Run run, long version, StateCopy copy) {
        // None too large for Spark.
        List<DriverSlice> slices = new ArrayList<>();
        for (int i = 0; i < run.layout().slices(); i++) {
            slices.add(run.sc().isLocal() ? new DriverSlice.OfCopy(copy, run.layout(), i)
                    : new DriverSlice.Sent(run.sc().broadcast(copy.cut(run.layout(), i))));
        }
        return new DistributedState(run, null, StateSource.ofDriver(run.id(), version, slices));
    }

    StateLayout layout() {
        return run.layout();
    }

    StateSource source() {
        return source;
    }

    /** @param peer an executor that is to be told when the run is over; or null */
    void remember(Peer peer) {
        if (peer != null) {
            run.peers().add(peer);
        }
    }

    /** The average of what workers reached in a round that began with this state. */
    DistributedState next(AveragingRound round, List<StateSource.Contribution> made) {
        return new DistributedState(run, round, StateSource.average(run.id(), source.version() + 1, made));
    }

    /**
     * Makes up for what executors had that are lost, before anybody has all of this state.
     *
     * @throws StateLostException if that cannot be
     */
    void makeUpFor(PeersLostException lost) {
        if (madeBy == null || repairs == MAX_REPAIRS) {
            throw new StateLostException(lost);
        }
        repairs++;
        LOG.warn("what workers at {} did in the round before is done again, as it cannot be fetched", lost.peers(), lost);
        source = StateSource.average(run.id(), source.version(), madeBy.again(lost));
    }

    /** Fetches all of it. @param copy takes it on */
    void collect(StateCopy copy) {
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

    /** Gives back what only {@link #makeUpFor} needs: for when others have all of this state. */
    void forgetPast() {
        if (madeBy != null) {
            madeBy.release();
            madeBy = null;
        }
    }

    /** The driver's copy, to go on from where this one is lost. */
    DistributedState replacedBy(StateCopy copy) {
        forgetPast();
        return of(run, source.version() + 2, copy);
    }

    /** Has executors give back what they keep of the driver's slices beside the state itself. */
    void unpersist() {
        source.begin().forEach(DriverSlice::unpersist);
    }

    /** Gives back the driver's slices. */
    void release() {
        source.begin().forEach(DriverSlice::release);
    }

    /** Has executors forget the run; those that do not answer have ended themselves. Throws nothing, as training may have failed. */
    void end() {
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
            LOG.warn("executors may keep what they have of this training run", e);
        }
    }
}
