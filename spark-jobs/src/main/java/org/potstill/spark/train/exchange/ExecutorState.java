// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import org.potstill.spark.DaemonThreads;
import org.potstill.spark.train.state.ErrorFeedback;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;

/**
 * An executor's part of a training run, kept across tasks: the initial states of the previous and the current round, and those that late
 * workers may yet begin at, its workers' results until they are averaged, and a pool of students.
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

    private static final ExecutorService PREFETCHING = Executors.newCachedThreadPool(DaemonThreads.named("potstill-prefetch"));

    private final String run;
    private final WorkerSetup setup;
    private final StateLayout layout;
    private final TreeMap<Long, Replica> replicas = new TreeMap<>();
    /** The last two states' recipes. */
    private final TreeMap<Long, Recipe> recipes = new TreeMap<>();
    private final StudentPool students;
    private final OwnedSlices owned;

    private ExecutorState(String run, WorkerSetup setup, StateLayout layout) {
        this.run = run;
        this.setup = setup;
        this.layout = layout;
        this.students = new StudentPool(setup, layout);
        this.owned = new OwnedSlices(run, setup, students);
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
     * Obtains all slices of a state, in order; this executor then serves them to others, and drops what they were averaged from.
     *
     * @param worker number of the calling worker: workers on one executor share the work and start at different slices
     * @throws PeersLostException if a slice cannot be obtained
     */
    public List<byte[]> begin(StateSource source, int worker) throws PeersLostException {
        remember(source.version(), source.recipe());
        Replica replica = replica(source.version(), source.recipe());
        List<Integer> order = order(source, worker);
        Set<Peer> silent = new HashSet<>();
        for (int slice : order) {
            ReentrantLock lock = replica.locks().get(slice);
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
        students.forget(source);
        return IntStream.range(0, layout.slices()).mapToObj(replica.slices()::get).toList();
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
        if (replica.slices().get(slice) != null) {
            return;
        }
        ReentrantLock lock = replica.locks().get(slice);
        lock.lock();
        try {
            if (replica.slices().get(slice) == null) {
                replica.slices().set(slice, obtaining.slice());
            }
        } finally {
            lock.unlock();
        }
    }

    private byte[] obtain(StateSource source, Replica replica, int slice, Set<Peer> silent) throws PeersLostException {
        Peer me = Exchange.get().address();
        if (!source.isMadeBy(me, slice)) {
            Replica before = existing(source.version() - 1);
            boolean steps = !source.whole() && !source.made().isEmpty() && before != null && before.slices().get(slice) != null;
            if (!steps) {
                return source.fetch(slice, replica.layout(), me, silent);
            }
            byte[] mean = source.fetch(slice, StateSource.MEAN, setup.payload().bytes(layout.slice(slice).parameters()), me, silent);
            return owned.step(before, replica, slice, mean);
        }
        try {
            return owned.average(source.version(), existing(source.version() - 1), replica, source.made(), slice);
        } catch (PeersLostException e) {
            try {
                // Executors that already have the whole state have dropped the contributions.
                return source.fetch(slice, replica.layout(), me, silent);
            } catch (PeersLostException nobody) {
                throw e.and(nobody);
            }
        }
    }

    /**
     * Begins to obtain a state in the background, like {@link #begin}.
     *
     * @return its slices; fails with a {@link PeersLostException} if one cannot be obtained
     */
    public Future<List<byte[]>> prefetch(StateSource source, int worker) {
        return PREFETCHING.submit(() -> begin(source, worker));
    }

    /**
     * Returns what a worker takes from its previous round: from this executor or, if the round was run elsewhere, from there.
     *
     * @param last every worker's last result
     * @throws PeersLostException if it is lost
     */
    public OwnState resume(List<StateSource.Contribution> last, int worker) throws PeersLostException {
        StateSource.Contribution result = last.stream().filter(c -> c.worker() == worker).findFirst().orElseThrow(PeersLostException::here);
        OwnState here = students.resume(result.from(), worker);
        if (here != null) {
            return here;
        } else if (result.at().equals(Exchange.get().address())) {
            throw PeersLostException.here();
        }
        Student student = students.borrow();
        try {
            List<ErrorFeedback> feedback = new ArrayList<>();
            for (int i = 0; i < layout.slices(); i++) {
                StateLayout.Slice slice = layout.slice(i);
                if (setup.overlap() > 0) {
                    student.writeParameters(slice.firstParameter(), own(result, i, OwnState.LAST_PARAMETERS, slice.parameters()));
                }
                student.writeUpdaterState(slice.firstMoment(), own(result, i, OwnState.MOMENTS, slice.moments()));
                feedback.add(new ErrorFeedback(setup.payload(), slice.parameters()));
                own(result, i, OwnState.OWED, slice.parameters()).get(feedback.get(i).owed());
            }
            return new OwnState(student, feedback);
        } catch (IOException e) {
            students.giveBack(student);
            throw new PeersLostException(Set.of(result.at()), e);
        }
    }

    private FloatBuffer own(StateSource.Contribution result, int slice, int part, int floats) throws IOException {
        Exchange exchange = Exchange.get();
        return StateLayout.littleEndian(exchange.await(exchange.fetch(result.at(),
                PeerMessages.Question.ofWorker(run, result.from(), slice, result.worker(), part), new byte[Math.multiplyExact(floats, Float.BYTES)]),
                result.at())).asFloatBuffer();
    }

    private synchronized Replica replica(long version, Recipe recipe) {
        replicas.headMap(version - 1).keySet().retainAll(recipe.needed());
        return replicas.computeIfAbsent(version, key -> Replica.of(recipe.whole(), layout));
    }

    private synchronized void remember(long version, Recipe recipe) {
        recipes.headMap(version - 1).clear();
        recipes.put(version, recipe);
    }

    /** Returns the recipe that a question to this executor, as the slice's owner, names; null if it names none or it is not known. */
    private synchronized Recipe recipe(PeerMessages.Question question) {
        if (question.told() != null) {
            remember(question.version(), question.told());
        }
        Recipe known = recipes.get(question.version());
        return known == null || !known.id().equals(question.recipe()) ? null : known;
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
            if (state == null) {
                return PeerMessages.Answer.of("");
            }
            Recipe recipe = state.recipe(question);
            if (recipe == null && question.isForOwner()) {
                return PeerMessages.Answer.WANTS_RECIPE;
            }
            StudentPool.Reading reading = state.read(question, recipe);
            return PeerMessages.Answer.of(reading == null ? "" : offers.add(reading));
        } catch (PeersLostException e) {
            return PeerMessages.Answer.lost(e.peers());
        }
    }

    private static synchronized void end(String run) {
        ENDED.add(run);
        ExecutorState state = RUNS.remove(run);
        if (state != null) {
            state.students.close();
        }
    }

    /**
     * Returns what the question asks for; null if it is not here.
     *
     * @param recipe to average the slice by, if it is not here yet; null if this executor does not own it
     */
    private StudentPool.Reading read(PeerMessages.Question question, Recipe recipe) throws PeersLostException {
        if (!question.isOfState()) {
            return students.read(question.version(), question.worker(), question.slice(), question.part());
        }
        if (question.slice() >= layout.slices()) {
            return null;
        }
        if (recipe != null) {
            Replica replica = replica(question.version(), recipe);
            fill(replica, question.slice(),
                    () -> owned.average(question.version(), existing(question.version() - 1), replica, recipe.made(), question.slice()));
        }
        Replica replica = existing(question.version());
        byte[] slice = replica == null ? null : (question.part() == StateSource.MEAN ? replica.means() : replica.slices()).get(question.slice());
        return slice == null ? null : new StudentPool.Reading(ByteBuffer.wrap(slice), () -> { });
    }
}
