// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.potstill.spark.train.state.ErrorFeedback;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.SliceAverage;
import org.potstill.spark.train.state.SliceDifference;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;

/**
 * An executor's part of a training run, kept across tasks: the initial states of the previous and the current round, its workers'
 * results until they are averaged, and a pool of students.
 *
 * <p>All transfers are pulled. An executor that needs a slice of the new state asks the slice's owner, which fetches the workers'
 * values and averages them once, however many executors ask.
 */
public final class ExecutorState {
    private static final Map<String, ExecutorState> RUNS = new ConcurrentHashMap<>();
    private static final int MAX_ENDED = 1000;
    /** The most recently ended runs, so that a late task does not restart one. */
    private static final Set<String> ENDED = Collections.newSetFromMap(new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
            return size() > MAX_ENDED;
        }
    });
    /** Maximum number of slices averaged at once; each holds all workers' values of the slice in memory. */
    public static final int MAX_AVERAGING = 2;

    private final String run;
    private final WorkerSetup setup;
    private final StateLayout layout;
    private final TreeMap<Long, Replica> replicas = new TreeMap<>();
    private final StudentPool students;
    /** By the slices that this executor owns, since the last whole state. */
    private final Map<Integer, Owed> owed = new ConcurrentHashMap<>();
    private final Map<Integer, Deque<byte[]>> buffers = new HashMap<>();
    private final Semaphore averaging = new Semaphore(MAX_AVERAGING);

    /**
     * What the means of a slice still owe.
     *
     * @param version of the last of them
     */
    private record Owed(long version, ErrorFeedback feedback) {
    }

    /** A local copy of a state, slice by slice; slices not yet obtained are null. */
    private static final class Replica {
        private final boolean whole;
        private final StateLayout layout;
        private final AtomicReferenceArray<byte[]> slices;
        /** Packed means that led to slices, see {@link StateSource#MEAN}. */
        private final AtomicReferenceArray<byte[]> means;
        private final List<ReentrantLock> locks;

        Replica(boolean whole, StateLayout layout) {
            this.whole = whole;
            this.layout = whole ? layout : layout.withoutMoments();
            int count = layout.slices();
            slices = new AtomicReferenceArray<>(count);
            means = new AtomicReferenceArray<>(count);
            locks = IntStream.range(0, count).mapToObj(i -> new ReentrantLock()).toList();
        }
    }

    private ExecutorState(String run, WorkerSetup setup, StateLayout layout) {
        this.run = run;
        this.setup = setup;
        this.layout = layout;
        this.students = new StudentPool(setup);
    }

    public static synchronized ExecutorState of(String run, WorkerSetup setup, StateLayout layout) {
        if (ENDED.contains(run)) {
            throw new IllegalStateException("this training run is over");
        }
        return RUNS.computeIfAbsent(run, key -> new ExecutorState(run, setup, layout));
    }

    public StudentPool students() {
        return students;
    }

    /**
     * Obtains all slices of a state, in order; this executor then serves them to others.
     *
     * @param worker number of the calling worker: workers on one executor share the work and start at different slices
     * @throws PeersLostException if a slice cannot be obtained
     */
    public List<byte[]> begin(StateSource source, int worker) throws PeersLostException {
        Replica replica = replica(source.version(), source.whole());
        List<Integer> order = order(source, worker);
        Set<Peer> silent = new HashSet<>();
        for (int slice : order) {
            ReentrantLock lock = replica.locks.get(slice);
            if (lock.tryLock()) {
                try {
                    fill(replica, slice, () -> obtain(source, replica, slice, silent));
                } finally {
                    lock.unlock();
                }
            }
        }
        // Wait for slices that other threads were obtaining.
        for (int slice : order) {
            fill(replica, slice, () -> obtain(source, replica, slice, silent));
        }
        return IntStream.range(0, layout.slices()).mapToObj(replica.slices::get).toList();
    }

    /** Orders the slices: first those that this executor owns, as others wait for it to average them. */
    private List<Integer> order(StateSource source, int worker) {
        List<Integer> own = new ArrayList<>();
        List<Integer> others = new ArrayList<>();
        Peer me = Exchange.get().address();
        for (int i = 0; i < layout.slices(); i++) {
            int slice = (i + worker) % layout.slices();
            (source.isMadeBy(me, slice) ? own : others).add(slice);
        }
        own.addAll(others);
        return own;
    }

    /** Way to obtain a slice that is not here yet. */
    private interface Obtaining {
        byte[] slice() throws PeersLostException;
    }

    private static void fill(Replica replica, int slice, Obtaining obtaining) throws PeersLostException {
        if (replica.slices.get(slice) != null) {
            return;
        }
        ReentrantLock lock = replica.locks.get(slice);
        lock.lock();
        try {
            if (replica.slices.get(slice) == null) {
                replica.slices.set(slice, obtaining.slice());
            }
        } finally {
            lock.unlock();
        }
    }

    private byte[] obtain(StateSource source, Replica replica, int slice, Set<Peer> silent) throws PeersLostException {
        Peer me = Exchange.get().address();
        if (!source.isMadeBy(me, slice)) {
            Replica before = existing(source.version() - 1);
            boolean steps = !source.whole() && !source.made().isEmpty() && before != null && before.slices.get(slice) != null;
            if (!steps) {
                return source.fetch(slice, replica.layout, me, silent);
            }
            byte[] mean = source.fetch(slice, StateSource.MEAN, setup.payload().bytes(layout.slice(slice).parameters()), me, silent);
            return step(before, replica, slice, mean);
        }
        try {
            return average(source.version(), replica, source.made(), slice);
        } catch (PeersLostException e) {
            try {
                // Executors that already have the whole state have dropped the contributions.
                return source.fetch(slice, replica.layout, me, silent);
            } catch (PeersLostException nobody) {
                throw e.and(nobody);
            }
        }
    }

    /** Takes the step to a slice by the mean of the workers' differences. */
    private byte[] step(Replica before, Replica replica, int index, byte[] mean) {
        replica.means.set(index, mean);
        return new SliceDifference(replica.layout.slice(index), setup.payload(), setup.outer()).step(before.slices.get(index),
                before.layout.slice(index), mean);
    }

    private byte[] average(long version, Replica replica, List<StateSource.Contribution> made, int index) throws PeersLostException {
        Replica before = existing(version - 1);
        if (before == null || before.slices.get(index) == null) {
            throw lostHere();
        }
        StateLayout.Slice slice = replica.layout.slice(index);
        Payload payload = replica.whole ? setup.wholePayload() : setup.payload();
        List<Part> parameters = new ArrayList<>();
        List<Part> moments = new ArrayList<>();
        averaging.acquireUninterruptibly();
        try {
            for (StateSource.Contribution c : made) {
                parameters.add(part(version - 1, c, index, Reached.PARAMETERS, payload.bytes(slice.parameters())));
                if (replica.whole) {
                    moments.add(part(version - 1, c, index, Reached.MOMENTS, payload.bytes(slice.moments())));
                }
            }
            awaitAll(joined(parameters, moments));
            List<ByteBuffer> ends = parameters.stream().map(Part::bytes).toList();
            long[] positions = made.stream().mapToLong(StateSource.Contribution::positions).toArray();
            byte[] average = replica.whole
                    ? new SliceAverage(slice, payload, setup.outer()).average(withMoments(before, index), ends, moments.stream().map(Part::bytes).toList(), positions)
                    : step(before, replica, index, mean(version, before, slice, index, ends, positions));
            // Not after a failure: other transfers may still be writing to their buffers.
            joined(parameters, moments).stream().map(Part::buffer).filter(Objects::nonNull).forEach(this::giveBack);
            return average;
        } finally {
            averaging.release();
            joined(parameters, moments).stream().map(Part::own).filter(Objects::nonNull).forEach(own -> own.done().run());
        }
    }

    private byte[] mean(long version, Replica before, StateLayout.Slice slice, int index, List<ByteBuffer> differences, long[] positions)
            throws PeersLostException {
        Owed last = before.whole ? new Owed(version - 1, new ErrorFeedback(setup.payload(), slice.parameters())) : owed.get(index);
        if (last == null || last.version() != version - 1) {
            throw lostHere();
        }
        byte[] mean = new SliceDifference(slice, setup.payload(), setup.outer()).mean(differences, positions, last.feedback());
        owed.put(index, new Owed(version, last.feedback()));
        return mean;
    }

    /** Returns a slice of a state in the layout of a whole one, with zeros for the moments that it does not have. */
    private byte[] withMoments(Replica before, int index) {
        byte[] bytes = before.slices.get(index);
        if (before.whole) {
            return bytes;
        }
        int parameterBytes = Math.multiplyExact(layout.slice(index).parameters(), Float.BYTES);
        byte[] whole = Arrays.copyOf(Arrays.copyOf(bytes, parameterBytes), layout.slice(index).bytes());
        int momentumBytes = bytes.length - parameterBytes;
        System.arraycopy(bytes, parameterBytes, whole, whole.length - momentumBytes, momentumBytes);
        return whole;
    }

    private static PeersLostException lostHere() {
        return new PeersLostException(Set.of(Exchange.get().address()), null);
    }

    /**
     * Returns what a worker continues with that is not averaged, from its previous round: on this executor or, if it was elsewhere, from there.
     *
     * @throws PeersLostException if it is lost
     */
    public Reached resume(StateSource source, int worker) throws PeersLostException {
        Reached here = students.resume(source.version(), worker);
        Peer place = source.placeOf(worker).orElse(null);
        if (here != null) {
            return here;
        } else if (place == null || place.equals(Exchange.get().address())) {
            throw lostHere();
        }
        Student student = students.borrow(source.version());
        try {
            List<ErrorFeedback> feedback = new ArrayList<>();
            for (int i = 0; i < layout.slices(); i++) {
                StateLayout.Slice slice = layout.slice(i);
                student.writeUpdaterState(slice.firstMoment(), own(place, source, i, worker, Reached.MOMENTS, slice.moments()));
                feedback.add(new ErrorFeedback(setup.payload(), slice.parameters()));
                own(place, source, i, worker, Reached.OWED, slice.parameters()).get(feedback.get(i).owed());
            }
            return new Reached(student, List.of(), List.of(), feedback);
        } catch (IOException e) {
            students.giveBack(student);
            throw new PeersLostException(Set.of(place), e);
        }
    }

    private FloatBuffer own(Peer place, StateSource source, int slice, int worker, int part, int floats) throws IOException {
        Exchange exchange = Exchange.get();
        return StateLayout.littleEndian(exchange.await(exchange.fetch(place,
                PeerMessages.Question.ofWorker(run, source.version() - 1, slice, worker, part), new byte[Math.multiplyExact(floats, Float.BYTES)]),
                place)).asFloatBuffer();
    }

    private static List<Part> joined(List<Part> some, List<Part> others) {
        return Stream.concat(some.stream(), others.stream()).toList();
    }

    /**
     * Parameters or moments of one slice of a worker's result, local or in transfer.
     *
     * @param bytes  the values; valid once {@code coming} completes
     * @param coming completes when the transfer does; null for a local worker
     * @param own    the reading of a local worker's memory; null for a remote one
     * @param buffer the array that receives the transfer; null for a local worker
     */
    private record Part(Peer from, ByteBuffer bytes, CompletableFuture<?> coming, StudentPool.Reading own, byte[] buffer) {
    }

    private Part part(long version, StateSource.Contribution c, int slice, int part, int bytes) {
        StudentPool.Reading own = c.at().equals(Exchange.get().address()) ? students.read(version, c.worker(), slice, part) : null;
        if (own != null) {
            return new Part(c.at(), own.bytes(), null, own, null);
        }
        byte[] buffer = buffer(bytes);
        return new Part(c.at(), StateLayout.littleEndian(buffer),
                Exchange.get().fetch(c.at(), PeerMessages.Question.ofWorker(run, version, slice, c.worker(), part), buffer), null, buffer);
    }

    private static void awaitAll(List<Part> parts) throws PeersLostException {
        Set<Peer> lost = new LinkedHashSet<>();
        IOException last = null;
        for (Part part : parts) {
            try {
                if (part.coming() != null) {
                    Exchange.get().await(part.coming(), part.from());
                }
            } catch (IOException e) {
                lost.add(part.from());
                last = e;
            }
        }
        if (!lost.isEmpty()) {
            throw new PeersLostException(lost, last);
        }
    }

    private synchronized byte[] buffer(int bytes) {
        Deque<byte[]> free = buffers.get(bytes);
        return free == null || free.isEmpty() ? new byte[bytes] : free.pop();
    }

    private synchronized void giveBack(byte[] buffer) {
        buffers.computeIfAbsent(buffer.length, key -> new ArrayDeque<>()).push(buffer);
    }

    private synchronized Replica replica(long version, boolean whole) {
        replicas.headMap(version - 1).clear();
        return replicas.computeIfAbsent(version, key -> new Replica(whole, layout));
    }

    private synchronized Replica existing(long version) {
        return replicas.get(version);
    }

    /** Answers another executor or the driver. */
    static PeerMessages.Answer answer(PeerMessages.Question question, Offers offers) {
        if (question.isEnd()) {
            end(question.run());
        }
        ExecutorState state = RUNS.get(question.run());
        try {
            StudentPool.Reading reading = state == null ? null : state.read(question);
            return new PeerMessages.Answer(reading == null ? "" : offers.add(reading), Set.of());
        } catch (PeersLostException e) {
            return new PeerMessages.Answer("", e.peers());
        }
    }

    private static synchronized void end(String run) {
        ENDED.add(run);
        ExecutorState state = RUNS.remove(run);
        if (state != null) {
            state.students.close();
        }
    }

    /** Returns what the question asks for, averaging it first if this executor owns the slice; null if it is not here. */
    private StudentPool.Reading read(PeerMessages.Question question) throws PeersLostException {
        if (!question.isOfState()) {
            return students.read(question.version(), question.worker(), question.slice(), question.part());
        }
        if (question.slice() >= layout.slices()) {
            return null;
        }
        if (!question.made().isEmpty()) {
            Replica replica = replica(question.version(), question.whole());
            fill(replica, question.slice(), () -> average(question.version(), replica, question.made(), question.slice()));
        }
        Replica replica = existing(question.version());
        byte[] slice = replica == null ? null : (question.part() == StateSource.MEAN ? replica.means : replica.slices).get(question.slice());
        return slice == null ? null : new StudentPool.Reading(ByteBuffer.wrap(slice), () -> { });
    }
}
