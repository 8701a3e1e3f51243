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
import org.apache.spark.broadcast.Broadcast;
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
    static DistributedState of(JavaSparkContext sc, ModelState whole, int workers) {
        String id = new BigInteger(RUN_BITS, new SecureRandom()).toString(16);
        return of(new Run(sc, id, StateLayout.of(whole, workers), ConcurrentHashMap.newKeySet()), 0, whole);
    }

    private static DistributedState of(Run run, long version, ModelState whole) {
        // Slice by slice, none too large for Spark; executors send them on to each other.
        List<Broadcast<byte[]>> slices = new ArrayList<>();
        for (int i = 0; i < run.layout().slices(); i++) {
            slices.add(run.sc().broadcast(run.layout().cut(whole, i)));
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

    /** What it is, on the driver. */
    ModelState collect() {
        ModelState whole = layout().blank();
        Set<Peer> silent = new HashSet<>();
        for (int i = 0; i < layout().slices();) {
            try {
                layout().paste(source.fetch(i, layout(), null, silent), i, whole);
                i++;
            } catch (PeersLostException e) {
                makeUpFor(e);
                silent.clear();
            }
        }
        return whole;
    }

    /** Gives back what only {@link #makeUpFor} needs: for when others have all of this state. */
    void forgetPast() {
        if (madeBy != null) {
            madeBy.release();
            madeBy = null;
        }
    }

    /** The driver's copy, to go on from where this one is lost. */
    DistributedState replacedBy(ModelState copy) {
        forgetPast();
        return of(run, source.version() + 2, copy);
    }

    /** Gives back the driver's copy. */
    void release() {
        source.begin().forEach(Broadcast::destroy);
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
