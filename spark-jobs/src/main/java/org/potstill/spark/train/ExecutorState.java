package org.potstill.spark.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.potstill.student.Student;

/**
 * What an executor keeps of a training run from one task to the next: the state that the last round began with and the one that this
 * round begins with, what its workers reached, until that is averaged, and students to train.
 *
 * <p>Nothing is sent before it is asked for. Who needs a slice of the new state asks its owner, who fetches the workers' slices from
 * where they are, and averages them: once, whoever asks, and however many.
 */
final class ExecutorState {
    private static final Map<String, ExecutorState> RUNS = new ConcurrentHashMap<>();
    private static final Pattern NAME = Pattern.compile("([0-9a-f]{1,64})/(\\d{1,18})/(\\d{1,9})(?:/(\\d{1,9})/([01]))?");

    private final String run;
    private final WorkerSetup setup;
    private final StateLayout layout;
    private final TreeMap<Long, Replica> replicas = new TreeMap<>();
    private final TreeMap<Long, Map<Integer, Reached>> reached = new TreeMap<>();
    /** What is being read; and whether it is to be given back then. */
    private final Map<Reached, Integer> readers = new IdentityHashMap<>();
    private final Set<Reached> dropped = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Map<Integer, Deque<byte[]>> buffers = new HashMap<>();
    private final Deque<Student> idle = new ArrayDeque<>();
    private boolean over;

    /** A state, slice by slice; null those that are not here yet. */
    private static final class Replica {
        private final AtomicReferenceArray<byte[]> slices;
        private final List<ReentrantLock> locks;

        Replica(int count) {
            slices = new AtomicReferenceArray<>(count);
            locks = IntStream.range(0, count).mapToObj(i -> new ReentrantLock()).toList();
        }
    }

    private ExecutorState(String run, WorkerSetup setup, StateLayout layout) {
        this.run = run;
        this.setup = setup;
        this.layout = layout;
    }

    static ExecutorState of(String run, WorkerSetup setup, StateLayout layout) {
        return RUNS.computeIfAbsent(run, key -> {
            Student.setThreads(setup.coresPerTask());
            return new ExecutorState(run, setup, layout);
        });
    }

    /** Names a slice of a state. */
    static String name(String run, long version, int slice) {
        return run + "/" + version + "/" + slice;
    }

    /** Names a part of a slice of what a worker reached. */
    static String name(String run, long version, int slice, int worker, int part) {
        return name(run, version, slice) + "/" + worker + "/" + part;
    }

    /**
     * All slices of a state, in order; from now on this executor has them for others, too.
     *
     * @param worker that begins with it: workers of one executor share the work, and begin in different places
     */
    List<byte[]> begin(StateSource source, int worker) throws PeersLostException {
        Replica replica = replica(source.version());
        List<Integer> order = order(source, worker);
        for (int slice : order) {
            ReentrantLock lock = replica.locks.get(slice);
            if (lock.tryLock()) {
                try {
                    fill(replica, source, slice);
                } finally {
                    lock.unlock();
                }
            }
        }
        // Those that others were at.
        for (int slice : order) {
            fill(replica, source, slice);
        }
        return IntStream.range(0, layout.slices()).mapToObj(replica.slices::get).toList();
    }

    /** First those that others wait for this executor to average. */
    private List<Integer> order(StateSource source, int worker) {
        List<Integer> own = new ArrayList<>();
        List<Integer> others = new ArrayList<>();
        Peer me = Exchange.get().address();
        for (int i = 0; i < layout.slices(); i++) {
            int slice = (i + worker) % layout.slices();
            (!source.made().isEmpty() && source.owner(slice).equals(me) ? own : others).add(slice);
        }
        own.addAll(others);
        return own;
    }

    private void fill(Replica replica, StateSource source, int slice) throws PeersLostException {
        if (replica.slices.get(slice) != null) {
            return;
        }
        ReentrantLock lock = replica.locks.get(slice);
        lock.lock();
        try {
            if (replica.slices.get(slice) == null) {
                replica.slices.set(slice, obtain(source, slice));
            }
        } finally {
            lock.unlock();
        }
    }

    private byte[] obtain(StateSource source, int slice) throws PeersLostException {
        if (!source.begin().isEmpty()) {
            return source.begin().get(slice).value();
        }
        Exchange exchange = Exchange.get();
        Peer me = exchange.address();
        return !source.made().isEmpty() && source.owner(slice).equals(me) ? average(source.version(), source.made(), slice)
                : source.fetch(slice, layout, exchange, me);
    }

    private byte[] average(long version, List<StateSource.Contribution> made, int index) throws PeersLostException {
        byte[] begin = slice(version - 1, index);
        if (begin == null) {
            throw new PeersLostException(Set.of(Exchange.get().address()), null);
        }
        StateLayout.Slice slice = layout.slice(index);
        int parameterBytes = setup.payload().bytes(slice.parameters());
        int momentBytes = setup.payload().bytes(slice.moments());
        List<Part> parameters = new ArrayList<>();
        List<Part> moments = new ArrayList<>();
        for (StateSource.Contribution c : made) {
            parameters.add(part(version - 1, c, index, Reached.PARAMETERS, parameterBytes));
            moments.add(part(version - 1, c, index, Reached.MOMENTS, momentBytes));
        }
        List<Part> all = new ArrayList<>(parameters);
        all.addAll(moments);
        awaitAll(all);
        byte[] average = new SliceAverage(slice, setup.payload(), setup.outer()).of(begin, parameters.stream().map(Part::bytes).toList(),
                moments.stream().map(Part::bytes).toList(), made.stream().mapToLong(StateSource.Contribution::positions).toArray());
        all.forEach(part -> part.done().run());
        return average;
    }

    /**
     * A part of a slice of what a worker reached, on its way here.
     *
     * @param bytes  to be read when it is here
     * @param coming says when that is
     * @param done   to be called when it was read; not if it did not come, as it may still be written to
     */
    private record Part(Peer from, ByteBuffer bytes, CompletableFuture<?> coming, Runnable done) {
    }

    private Part part(long version, StateSource.Contribution c, int slice, int part, int bytes) {
        if (c.at().equals(Exchange.get().address())) {
            Reading own = reading(version, c.worker(), slice, part);
            if (own != null) {
                return new Part(c.at(), own.bytes(), CompletableFuture.completedFuture(null), own.done());
            }
        }
        byte[] buffer = buffer(bytes);
        return new Part(c.at(), StateLayout.littleEndian(buffer), Exchange.get().fetch(c.at(), name(run, version, slice, c.worker(), part), buffer),
                () -> giveBack(buffer));
    }

    private static void awaitAll(List<Part> parts) throws PeersLostException {
        Set<Peer> lost = new LinkedHashSet<>();
        IOException last = null;
        for (Part part : parts) {
            try {
                Exchange.await(part.coming());
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

    /** Keeps what a worker reached until it is averaged. */
    synchronized void keep(long version, int worker, Reached result) {
        drop(reached.computeIfAbsent(version, key -> new HashMap<>()).put(worker, result));
    }

    private void drop(Reached result) {
        if (result == null) {
            return;
        }
        if (readers.containsKey(result)) {
            dropped.add(result);
        } else {
            giveBack(result.student());
        }
    }

    /**
     * Bytes that must not change while they are read.
     *
     * @param done to be called after that
     */
    record Reading(ByteBuffer bytes, Runnable done) {
    }

    private synchronized Reading reading(long version, int worker, int slice, int part) {
        Reached result = reached.getOrDefault(version, Map.of()).get(worker);
        ByteBuffer bytes = result == null ? null : result.slice(slice, part);
        if (bytes == null) {
            return null;
        }
        readers.merge(result, 1, Integer::sum);
        AtomicBoolean isDone = new AtomicBoolean();
        return new Reading(bytes, () -> {
            if (isDone.compareAndSet(false, true)) {
                readBy(result);
            }
        });
    }

    private synchronized void readBy(Reached result) {
        if (readers.merge(result, -1, Integer::sum) == 0) {
            readers.remove(result);
            if (dropped.remove(result)) {
                giveBack(result.student());
            }
        }
    }

    private synchronized Replica replica(long version) {
        replicas.headMap(version - 1).clear();
        return replicas.computeIfAbsent(version, key -> new Replica(layout.slices()));
    }

    private byte[] slice(long version, int slice) {
        Replica replica;
        synchronized (this) {
            replica = replicas.get(version);
        }
        return replica == null || slice >= layout.slices() ? null : replica.slices.get(slice);
    }

    /**
     * A student for a task that has the state of this version; to be given back, or kept. As all of that state is here, all that was
     * reached before is averaged.
     */
    Student borrow(long version) {
        synchronized (this) {
            Map<Long, Map<Integer, Reached>> past = reached.headMap(version);
            past.values().forEach(ofWorkers -> ofWorkers.values().forEach(this::drop));
            past.clear();
            if (!idle.isEmpty()) {
                return idle.pop();
            }
        }
        // The seed is of no consequence: a round begins by setting all parameters.
        return Student.create(setup.config(), setup.options(), 0);
    }

    synchronized void giveBack(Student student) {
        if (over) {
            student.close();
        } else {
            idle.push(student);
        }
    }

    private synchronized void end() {
        over = true;
        reached.values().forEach(ofWorkers -> ofWorkers.values().forEach(this::drop));
        reached.clear();
        idle.forEach(Student::close);
        idle.clear();
    }

    /**
     * Bytes that another executor wants.
     *
     * @throws IllegalArgumentException if they are not here
     */
    static Reading read(String name) {
        Matcher parts = NAME.matcher(name);
        ExecutorState state = parts.matches() ? RUNS.get(parts.group(1)) : null;
        Reading reading = null;
        if (state != null) {
            long version = Long.parseLong(parts.group(2));
            int slice = Integer.parseInt(parts.group(3));
            if (parts.group(4) == null) {
                byte[] bytes = state.slice(version, slice);
                reading = bytes == null ? null : new Reading(ByteBuffer.wrap(bytes), () -> { });
            } else {
                reading = state.reading(version, Integer.parseInt(parts.group(4)), slice, Integer.parseInt(parts.group(5)));
            }
        }
        if (reading == null) {
            // What was asked for is not repeated: it may be a password, or a stranger's text.
            throw new IllegalArgumentException("no such array");
        }
        return reading;
    }

    /** Answers a {@link PeerMessages.Question}. */
    static ByteBuffer answer(ByteBuffer bytes) throws IOException {
        PeerMessages.Question question = PeerMessages.Question.of(bytes);
        ExecutorState state = RUNS.get(question.run());
        if (state == null) {
            return new PeerMessages.Answer(false, Set.of()).bytes();
        }
        if (question.isEnd()) {
            RUNS.remove(question.run());
            state.end();
            return new PeerMessages.Answer(true, Set.of()).bytes();
        }
        try {
            return new PeerMessages.Answer(state.has(question), Set.of()).bytes();
        } catch (PeersLostException e) {
            return new PeerMessages.Answer(false, e.peers()).bytes();
        }
    }

    private boolean has(PeerMessages.Question question) throws PeersLostException {
        if (question.slice() < layout.slices() && !question.made().isEmpty()) {
            fill(replica(question.version()), new StateSource(run, question.version(), List.of(), question.made(), List.of(Exchange.get().address())),
                    question.slice());
        }
        return slice(question.version(), question.slice()) != null;
    }
}
