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
    private final TreeMap<Long, Map<Integer, Reached>> reached = new TreeMap<>();
    private final IdentityHashMap<Reached, Integer> readers = new IdentityHashMap<>();
    /** Results that are no longer needed but still being read. */
    private final Set<Reached> dropped = Collections.newSetFromMap(new IdentityHashMap<>());
    private final Deque<Student> idle = new ArrayDeque<>();
    /** By GPU. */
    private final Map<Integer, OnnxTrainer> trainers = new HashMap<>();
    private int students;
    /** Number of workers on this executor in the previous round. */
    private int workers;
    private boolean closed;

    StudentPool(WorkerSetup setup) {
        this.setup = setup;
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

    /**
     * Lends a student to a task that has the whole state of this version; the task must give it back or {@link #keep} its result.
     * Frees all results of earlier versions, which are averaged by then.
     */
    public Student borrow(long version) {
        synchronized (this) {
            forget(version);
            if (!idle.isEmpty()) {
                return idle.pop();
            }
            students++;
        }
        // Every round starts by setting all parameters.
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
     * Lends a worker, which has the whole state of this version, the student with which it reached the end of the round before.
     *
     * @return the result of that round, which {@link Reached#isOwn}; null if it is not here, or being sent elsewhere
     */
    synchronized Reached resume(long version, int worker) {
        forget(version);
        Map<Integer, Reached> last = reached.get(version - 1);
        return last == null || readers.containsKey(last.get(worker)) ? null : last.remove(worker);
    }

    /** Drops the results that nobody needs once the whole state of this version is here. */
    private void forget(long version) {
        NavigableMap<Long, Map<Integer, Reached>> past = reached.headMap(version, false);
        workers = past.isEmpty() ? workers : Math.max(1, past.lastEntry().getValue().size());
        past.forEach((at, ofWorkers) -> ofWorkers.values().removeIf(result -> {
            boolean isNeeded = result.isOwn() && at == version - 1;
            if (!isNeeded) {
                drop(result);
            }
            return !isNeeded;
        }));
        past.values().removeIf(Map::isEmpty);
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
        reached.values().forEach(ofWorkers -> ofWorkers.values().forEach(this::drop));
        reached.clear();
        idle.forEach(Student::close);
        idle.clear();
        trainers.values().forEach(OnnxTrainer::close);
        trainers.clear();
    }

    /** Keeps a worker's result until it is averaged. */
    public synchronized void keep(long version, int worker, Reached result) {
        drop(closed ? result : reached.computeIfAbsent(version, key -> new HashMap<>()).put(worker, result));
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
     * Bytes that stay unchanged until the reader calls {@code done}.
     *
     * @param done must be called after reading
     */
    record Reading(ByteBuffer bytes, Runnable done) {
    }

    synchronized Reading read(long version, int worker, int slice, int part) {
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
}
