package org.potstill.spark.train;

import java.io.IOException;
import java.io.Serializable;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.potstill.spark.Failures;
import org.potstill.spark.PlatformErrors;

/**
 * Where the state that a round begins with is to be had, slice by slice.
 *
 * @param run       that it is a state of; not to be guessed
 * @param version   of the state; one more than that of the state which its contributions began with
 * @param begin     the driver's slices, where it is the driver's; else empty
 * @param made      what it is the average of; empty where all holders have all of it
 * @param holders   who has it, or, of {@code made}, averages it: the i-th slice the i-th of them, in turn
 */
record StateSource(String run, long version, List<DriverSlice> begin, List<Contribution> made, List<Peer> holders) implements Serializable {
    /**
     * What a worker reached in the round before, and did not send yet.
     *
     * @param worker    that trained
     * @param positions it learnt from: its weight
     * @param at        the executor that keeps it
     */
    record Contribution(int worker, long positions, Peer at) implements Serializable {
    }

    static StateSource ofDriver(String run, long version, List<DriverSlice> begin) {
        return new StateSource(run, version, begin, List.of(), List.of());
    }

    /** @param made in the workers' order */
    static StateSource average(String run, long version, List<Contribution> made) {
        return new StateSource(run, version, List.of(), List.copyOf(made), made.stream().map(Contribution::at).distinct().toList());
    }

    /** The same state, from these, each of which has all of it. */
    StateSource heldBy(List<Peer> peers) {
        return new StateSource(run, version, List.of(), List.of(), List.copyOf(peers));
    }

    /** Whether this one is to average a slice. */
    boolean isMadeBy(Peer peer, int slice) {
        return !made.isEmpty() && holders.get(slice % holders.size()).equals(peer);
    }

    /** Who may have a slice; who should have it comes first. */
    private List<Peer> holders(int slice) {
        int first = slice % holders.size();
        return Stream.concat(holders.subList(first, holders.size()).stream(), holders.subList(0, first).stream()).toList();
    }

    /**
     * Fetches one slice from one who has it, or the driver's.
     *
     * @param layout of the state
     * @param me     who needs not be asked, the caller itself; or null
     * @param silent who is not asked again; takes on who does not answer
     * @throws PeersLostException if nobody has it
     */
    byte[] fetch(int slice, StateLayout layout, Peer me, Set<Peer> silent) throws PeersLostException {
        if (!begin.isEmpty()) {
            return begin.get(slice).bytes();
        }
        Exchange exchange = Exchange.get();
        Set<Peer> lost = new LinkedHashSet<>();
        IOException last = null;
        for (Peer holder : holders(slice)) {
            if (holder.equals(me) || silent.contains(holder)) {
                continue;
            }
            try {
                boolean makes = isMadeBy(holder, slice);
                CompletableFuture<PeerMessages.Answer> asked = exchange.ask(holder,
                        PeerMessages.Question.ofState(run, version, slice, makes ? made : List.of()));
                PeerMessages.Answer answer = makes ? Exchange.await(asked) : exchange.await(asked, holder);
                if (answer.has()) {
                    return Exchange.await(exchange.receive(holder, answer, new byte[layout.slice(slice).bytes()]));
                }
                lost.addAll(answer.lost());
                if (makes && answer.lost().isEmpty() || made.isEmpty()) {
                    lost.add(holder);
                }
            } catch (IOException e) {
                if (Failures.isOutOfMemory(e)) {
                    throw PlatformErrors.notEnoughMemory("averaging what workers learnt, at " + holder, e);
                }
                silent.add(holder);
                last = e;
            }
        }
        lost.addAll(silent);
        throw new PeersLostException(lost, last);
    }
}
