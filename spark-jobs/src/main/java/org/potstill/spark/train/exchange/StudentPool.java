// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import org.potstill.kernels.Simd;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.onnx.OnnxTrainer;
import org.potstill.student.options.TrainingEngine;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The students of an executor and what trains them: those in training, those whose results are not yet averaged, and idle ones. */
public final class StudentPool implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(StudentPool.class);
    private static final AtomicBoolean SIMD_LOGGED = new AtomicBoolean();

    private final WorkerSetup setup;
    private final StateLayout layout;
    /** Each worker's last result, until it is averaged. */
    private final Map<Integer, Kept<Reached>> reached = new HashMap<>();
    /** What each worker takes to its next round. */
    private final Map<Integer, Kept<OwnState>> own = new HashMap<>();
    private final IdentityHashMap<Student, Integer> readers = new IdentityHashMap<>();
    /** Students that nobody needs any more but whose memory is still being read. */
    private final Set<Student> dropped = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Deque<Student> idle = new ArrayDeque<>();
    /** By GPU. */
    private final Map<Integer, OnnxTrainer> trainers = new HashMap<>();
    private int students;
    /** Number of workers on this executor in the previous round. */
    private int workers;
    private boolean closed;

    /**
     * What is kept of a worker.
     *
     * @param version of the state that the result is to be added to
     * @param student whose memory it shares; null if there is none
     */
    private record Kept<T>(long version, T what, Student student) {
    }

    StudentPool(WorkerSetup setup, StateLayout layout) {
        this.setup = setup;
        this.layout = layout;
        Student.setThreads(setup.coresPerTask());
        if (!SIMD_LOGGED.getAndSet(true)) {
            Student.simd().ifPresent(StudentPool::log);
        }
    }

    private static void log(Simd simd) {
        if (simd.bits() > 0 || simd.isTurnedOff()) {
            LOG.info("{}", simd);
        } else {
            LOG.warn("{}. Training is slower. Java options are set in spark.executor.extraJavaOptions (on a local master, in "
                    + "spark.driver.extraJavaOptions)", simd);
        }
    }

    /** Returns how this JVM computes elementwise work, in one word for provenance. */
    public static String simd(TrainingEngine engine) {
        return engine == TrainingEngine.ONNX ? "onnx" : Student.simd().map(Simd::width).orElse("gpu");
    }

    /** Lends a student to a task, which must give it back or {@link #keep} its result. */
    public Student borrow() {
        synchronized (this) {
            if (!idle.isEmpty()) {
                return idle.pop();
            }
            students++;
        }
        // The borrower sets all parameters and moments.
        return Student.uninitialized(setup.config(), setup.engine().ofStudent(setup.options()));
    }

    /**
     * Returns the session that trains on a GPU, shared by the executor's workers.
     *
     * @param gpu its number; of no meaning on CPUs
     */
    public synchronized OnnxTrainer trainer(int gpu) {
        if (closed) {
            throw new IllegalStateException("training has ended");
        }
        return trainers.computeIfAbsent(gpu, key -> OnnxTrainer.open(setup.config(), setup.options(), setup.coresPerTask(), key));
    }

    /**
     * Lends a worker what it takes from its previous round.
     *
     * @param from version under which that round's result is kept
     * @return null if it is not here, or being sent elsewhere
     */
    synchronized OwnState resume(long from, int worker) {
        Kept<OwnState> kept = own.get(worker);
        return kept == null || kept.version() != from || readers.containsKey(kept.student()) ? null : own.remove(worker).what();
    }

    /** Drops what nobody needs once all of a state is here: the results that it contains, and what workers left here and took along elsewhere. */
    synchronized void forget(StateSource state) {
        if (state.whole()) {
            forget(state.version());
        }
        for (StateSource.Contribution c : state.made()) {
            drop(reached, c.worker(), c.from() + 1);
            drop(own, c.worker(), c.from());
        }
    }

    private void forget(long version) {
        LongSummaryStatistics averaged = reached.values().stream().mapToLong(Kept::version).filter(v -> v < version).summaryStatistics();
        if (averaged.getCount() > 0) {
            workers = (int) reached.values().stream().filter(kept -> kept.version() == averaged.getMax()).count();
        }
        List.copyOf(reached.keySet()).forEach(worker -> drop(reached, worker, version));
        List.copyOf(own.keySet()).forEach(worker -> drop(own, worker, version));
    }

    private <T> void drop(Map<Integer, Kept<T>> all, int worker, long before) {
        Kept<T> kept = all.get(worker);
        if (kept != null && kept.version() < before) {
            drop(all.remove(worker));
        }
    }

    public synchronized void giveBack(Student student) {
        // Each worker needs one student to train and one whose result is being read; more would waste memory.
        if (closed || students > 2 * workers) {
            students--;
            student.close();
        } else {
            idle.push(student);
        }
    }

    /** Closes all students at the end of training; those being read, once that is done. */
    @Override
    public synchronized void close() {
        closed = true;
        forget(Long.MAX_VALUE);
        idle.forEach(Student::close);
        idle.clear();
        trainers.values().forEach(OnnxTrainer::close);
        trainers.clear();
    }

    /** Keeps a worker's result until it is averaged. Its result before is averaged by then. */
    public synchronized void keep(long version, int worker, Reached result) {
        keep(reached, worker, new Kept<>(version, result, result.student()));
    }

    /** Keeps a worker's result, and what it takes to its next round. */
    public synchronized void keep(long version, int worker, Reached result, OwnState taken) {
        keep(version, worker, result);
        keep(own, worker, new Kept<>(version, taken, taken.student()));
    }

    private <T> void keep(Map<Integer, Kept<T>> all, int worker, Kept<T> kept) {
        Kept<T> last = all.get(worker);
        // A task that was given up may end after those that replace it.
        boolean isNewest = !closed && (last == null || last.version() <= kept.version());
        if (isNewest) {
            all.put(worker, kept);
        }
        drop(isNewest ? last : kept);
    }

    private void drop(Kept<?> kept) {
        if (kept != null && kept.student() != null) {
            drop(kept.student());
        }
    }

    private void drop(Student student) {
        if (readers.containsKey(student)) {
            dropped.add(student);
        } else {
            giveBack(student);
        }
    }

    /**
     * Bytes that stay unchanged until the reader calls {@code done}.
     *
     * @param done must be called after reading
     */
    record Reading(ByteBuffer bytes, Runnable done) {
    }

    /** Returns a slice of a worker's {@link Reached} or {@link OwnState}; null if it is not here. */
    synchronized Reading read(long version, int worker, int slice, int part) {
        if (OwnState.has(part)) {
            Kept<OwnState> kept = own.get(worker);
            return kept == null || kept.version() != version ? null : reading(kept.student(), kept.what().slice(slice, part, layout));
        }
        Kept<Reached> kept = reached.get(worker);
        return kept == null || kept.version() != version ? null : reading(kept.student(), kept.what().slice(slice, part));
    }

    /** @param student whose memory the bytes share; may be null */
    private Reading reading(Student student, ByteBuffer bytes) {
        if (bytes == null || student == null) {
            return bytes == null ? null : new Reading(bytes, () -> { });
        }
        readers.merge(student, 1, Integer::sum);
        AtomicBoolean isDone = new AtomicBoolean();
        return new Reading(bytes, () -> {
            if (isDone.compareAndSet(false, true)) {
                readBy(student);
            }
        });
    }

    private synchronized void readBy(Student student) {
        if (readers.merge(student, -1, Integer::sum) == 0) {
            readers.remove(student);
            if (dropped.remove(student)) {
                giveBack(student);
            }
        }
    }
}
