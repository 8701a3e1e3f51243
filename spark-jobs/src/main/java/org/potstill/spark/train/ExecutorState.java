package org.potstill.spark.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
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
 * where they are, and averages them: once, whoever asks, and however many. Arrays are not changed once they are here.
 */
final class ExecutorState {
    private static final Map<String, ExecutorState> RUNS = new ConcurrentHashMap<>();
    private static final Pattern NAME = Pattern.compile("([0-9a-f]{1,64})/(\\d{1,18})/(?:(\\d{1,9})/)?(\\d{1,9})");

    private final String run;
    private final WorkerSetup setup;
    private final StateLayout layout;
    private final TreeMap<Long, Replica> replicas = new TreeMap<>();
    private final TreeMap<Long, Map<Integer, byte[][]>> reached = new TreeMap<>();
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

    /** Names a slice of what a worker reached. */
    static String name(String run, long version, int worker, int slice) {
        return run + "/" + version + "/" + worker + "/" + slice;
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
        SliceAverage average = new SliceAverage(layout.slice(index), setup.payload(), setup.outer());
        byte[] begin = slice(version - 1, index);
        if (begin == null) {
            throw new PeersLostException(Set.of(Exchange.get().address()), null);
        }
        return average.of(begin, fetch(version - 1, made, index, average.packedBytes()),
                made.stream().mapToLong(StateSource.Contribution::positions).toArray());
    }

    /** The same slice of all workers, side by side. */
    private List<byte[]> fetch(long version, List<StateSource.Contribution> made, int slice, int bytes) throws PeersLostException {
        Exchange exchange = Exchange.get();
        Peer me = exchange.address();
        Set<Peer> lost = new LinkedHashSet<>();
        IOException last = null;
        List<CompletableFuture<byte[]>> coming = new ArrayList<>();
        for (StateSource.Contribution c : made) {
            byte[] own = c.at().equals(me) ? reached(version, c.worker(), slice) : null;
            try {
                coming.add(own != null ? CompletableFuture.completedFuture(own)
                        : exchange.fetch(c.at(), name(run, version, c.worker(), slice), bytes));
            } catch (IOException e) {
                coming.add(CompletableFuture.failedFuture(e));
            }
        }
        List<byte[]> slices = new ArrayList<>();
        for (int i = 0; i < coming.size(); i++) {
            try {
                slices.add(Exchange.await(coming.get(i)));
            } catch (IOException e) {
                lost.add(made.get(i).at());
                last = e;
            }
        }
        if (!lost.isEmpty()) {
            throw new PeersLostException(lost, last);
        }
        return slices;
    }

    /** Keeps what a worker reached until it is averaged; what was reached before that round's state was there is averaged already. */
    synchronized void keep(long version, int worker, byte[][] packed) {
        reached.headMap(version).clear();
        reached.computeIfAbsent(version, key -> new HashMap<>()).put(worker, packed);
    }

    private synchronized Replica replica(long version) {
        replicas.headMap(version - 1).clear();
        return replicas.computeIfAbsent(version, key -> new Replica(layout.slices()));
    }

    private synchronized byte[] reached(long version, int worker, int slice) {
        byte[][] slices = reached.getOrDefault(version, Map.of()).get(worker);
        return slices == null || slice >= slices.length ? null : slices[slice];
    }

    private byte[] slice(long version, int slice) {
        Replica replica;
        synchronized (this) {
            replica = replicas.get(version);
        }
        return replica == null || slice >= layout.slices() ? null : replica.slices.get(slice);
    }

    /** A student for a task, to be given back. */
    Student borrow() {
        synchronized (this) {
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
        idle.forEach(Student::close);
        idle.clear();
    }

    /**
     * An array that another executor wants.
     *
     * @throws IllegalArgumentException if it is not here
     */
    static byte[] array(String name) {
        Matcher parts = NAME.matcher(name);
        ExecutorState state = parts.matches() ? RUNS.get(parts.group(1)) : null;
        if (state != null) {
            long version = Long.parseLong(parts.group(2));
            int slice = Integer.parseInt(parts.group(4));
            byte[] array = parts.group(3) == null ? state.slice(version, slice)
                    : state.reached(version, Integer.parseInt(parts.group(3)), slice);
            if (array != null) {
                return array;
            }
        }
        // What was asked for is not repeated: it may be a password, or a stranger's text.
        throw new IllegalArgumentException("no such array");
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
