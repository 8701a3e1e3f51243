// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.kernels.Simd;
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
    /** Results to be averaged, by the version of the state from which workers came to them, then by worker. */
    private final TreeMap<Long, Map<Integer, Reached>> reached = new TreeMap<>();
    /** What workers take to their next round, by the same. */
    private final TreeMap<Long, Map<Integer, OwnState>> own = new TreeMap<>();
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
     * @param version of the state that this round begins with
     * @return null if it is not here, or being sent elsewhere
     */
    synchronized OwnState resume(long version, int worker) {
        Map<Integer, OwnState> last = own.getOrDefault(version - 1, Map.of());
        OwnState kept = last.get(worker);
        return kept == null || readers.containsKey(kept.student()) ? null : last.remove(worker);
    }

    /** Drops what nobody needs once the whole state of this version is here. */
    synchronized void forget(long version) {
        NavigableMap<Long, Map<Integer, Reached>> averaged = reached.headMap(version, false);
        workers = averaged.isEmpty() ? workers : Math.max(1, averaged.lastEntry().getValue().size());
        averaged.values().forEach(ofWorkers -> ofWorkers.values().forEach(this::drop));
        averaged.clear();
        // A round takes over what the one before it kept.
        NavigableMap<Long, Map<Integer, OwnState>> left = own.headMap(version - 1, false);
        left.values().forEach(ofWorkers -> ofWorkers.values().forEach(kept -> drop(kept.student())));
        left.clear();
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

    /** Keeps a worker's result until it is averaged. */
    public synchronized void keep(long version, int worker, Reached result) {
        drop(closed ? result : reached.computeIfAbsent(version, key -> new HashMap<>()).put(worker, result));
    }

    /** Keeps a worker's result, and what it takes to its next round. */
    public synchronized void keep(long version, int worker, Reached result, OwnState kept) {
        keep(version, worker, result);
        OwnState before = closed ? kept : own.computeIfAbsent(version, key -> new HashMap<>()).put(worker, kept);
        if (before != null) {
            drop(before.student());
        }
    }

    private void drop(Reached result) {
        if (result != null && result.student() != null) {
            drop(result.student());
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
            OwnState kept = own.getOrDefault(version, Map.of()).get(worker);
            return kept == null ? null : reading(kept.student(), kept.slice(slice, part, layout));
        }
        Reached result = reached.getOrDefault(version, Map.of()).get(worker);
        return result == null ? null : reading(result.student(), result.slice(slice, part));
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
