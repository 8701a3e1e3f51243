// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.IOException;
import java.io.Serializable;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.potstill.spark.Failures;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.train.state.StateLayout;

/**
 * Location of a round's initial state, slice by slice.
 *
 * @param run       unguessable id of the training run
 * @param version   version of the state; one more than that of the state which its contributions started from
 * @param begin     the driver's slices if the state comes from the driver; otherwise empty
 * @param recipe    what it is made of
 * @param holders   executors that have the state or, if it is made of contributions, average its slices, assigned round-robin
 */
public record StateSource(String run, long version, List<DriverSlice> begin, Recipe recipe, List<Peer> holders) implements Serializable {
    /** A slice's values. */
    static final int VALUES = 0;
    /** The packed mean of the workers' differences that led to it, for those who have the state before. */
    static final int MEAN = 1;

    /**
     * A worker's result of a round, kept on its executor until fetched.
     *
     * @param worker    number of the worker
     * @param positions number of positions it learnt from: its weight
     * @param at        the executor that keeps the result
     * @param from      the version under which it is kept there
     */
    public record Contribution(int worker, long positions, Peer at, long from) implements Serializable {
    }

    public static StateSource ofDriver(String run, long version, List<DriverSlice> begin) {
        return new StateSource(run, version, begin, Recipe.of(true, List.of(), Set.of()), List.of());
    }

    /** Whether the state has moments; otherwise these are the workers' own, see {@link OwnState}. */
    public boolean whole() {
        return recipe.whole();
    }

    /** Returns the contributions that the state is the average of; none if every holder has the whole state. */
    public List<Contribution> made() {
        return recipe.made();
    }

    /** Returns the versions of earlier states that executors keep, as late workers may yet begin at them. */
    public Set<Long> needed() {
        return recipe.needed();
    }

    /**
     * Returns the source of the average that follows this state.
     *
     * @param made contributions in the workers' order
     */
    public StateSource average(boolean isWhole, List<Contribution> made) {
        // What an owner owes stays with it until all is sent.
        List<Peer> owners = whole() || isWhole ? made.stream().map(Contribution::at).distinct().toList() : holders;
        return new StateSource(run, version + 1, List.of(), Recipe.of(isWhole, made, Set.of()), owners);
    }

    /** Returns the source of the same average, made from other contributions. */
    public StateSource with(List<Contribution> others) {
        return new StateSource(run, version, List.of(), Recipe.of(whole(), others, needed()), others.stream().map(Contribution::at).distinct().toList());
    }

    /** Returns the source of the same state on peers that each have all of it. */
    public StateSource heldBy(List<Peer> peers) {
        return new StateSource(run, version, List.of(), Recipe.of(whole(), List.of(), needed()), List.copyOf(peers));
    }

    /** Returns the source of the same state, beside which executors keep earlier ones. */
    public StateSource keeping(Set<Long> versions) {
        return new StateSource(run, version, begin, Recipe.of(whole(), made(), versions), holders);
    }

    /** Whether the peer owns the slice, that is, averages it. */
    boolean isMadeBy(Peer peer, int slice) {
        return !made().isEmpty() && holders.get(slice % holders.size()).equals(peer);
    }

    /** Returns the holders of a slice, its owner first. */
    private List<Peer> holders(int slice) {
        int first = slice % holders.size();
        return Stream.concat(holders.subList(first, holders.size()).stream(), holders.subList(0, first).stream()).toList();
    }

    /** Fetches the values of one slice from a holder or from the driver, see {@link #fetch(int, int, int, Peer, Set)}. */
    public byte[] fetch(int slice, StateLayout layout, Peer me, Set<Peer> silent) throws PeersLostException {
        return begin.isEmpty() ? fetch(slice, VALUES, layout.slice(slice).bytes(), me, silent) : begin.get(slice).bytes();
    }

    /**
     * Fetches one slice from a holder.
     *
     * @param part   {@link #VALUES} or {@link #MEAN}
     * @param bytes  its length
     * @param me     the caller, which is not asked; null for the driver
     * @param silent peers not to ask again; peers that do not answer are added
     * @throws PeersLostException if no holder can send the slice
     */
    byte[] fetch(int slice, int part, int bytes, Peer me, Set<Peer> silent) throws PeersLostException {
        Exchange exchange = Exchange.get();
        Set<Peer> lost = new LinkedHashSet<>();
        IOException last = null;
        for (Peer holder : holders(slice)) {
            if (holder.equals(me) || silent.contains(holder)) {
                continue;
            }
            try {
                boolean makes = isMadeBy(holder, slice);
                PeerMessages.Answer answer = makes ? askOwner(holder, slice, part)
                        : exchange.await(exchange.ask(holder, PeerMessages.Question.ofState(this, slice, part)), holder);
                if (answer.has()) {
                    byte[] received = Exchange.await(exchange.receive(holder, answer, new byte[bytes]));
                    if (me != null) {
                        exchange.count(run, received.length);
                    }
                    return received;
                }
                lost.addAll(answer.lost());
                if (makes && answer.lost().isEmpty() || made().isEmpty()) {
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

    private PeerMessages.Answer askOwner(Peer owner, int slice, int part) throws IOException {
        PeerMessages.Question question = PeerMessages.Question.ofOwner(this, slice, part);
        PeerMessages.Answer answer = Exchange.await(Exchange.get().ask(owner, question));
        return answer.wantsRecipe() ? Exchange.await(Exchange.get().ask(owner, question.with(recipe))) : answer;
    }
}
