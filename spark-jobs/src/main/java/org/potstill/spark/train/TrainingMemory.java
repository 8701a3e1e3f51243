// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.Utils;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.spark.Cluster;
import org.potstill.spark.MemoryNeed;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.train.exchange.ExecutorState;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.student.StudentMemory;
import org.potstill.student.onnx.OnnxTrainer;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;

/**
 * Estimate of the memory that training takes, from sizes and settings, excluding what {@link MemoryNeed} adds for any job.
 *
 * @param layout       layout of the state
 * @param workers      number of workers
 * @param states       states held at once in memory
 * @param side         maximum number of workers that train concurrently on one executor
 * @param packed       heap bytes of one worker's packed result
 * @param batch        heap bytes of a batch
 * @param student      off-heap bytes of a student
 * @param engine       off-heap bytes of an engine that all workers of an executor share; 0 for none
 */
record TrainingMemory(StateLayout layout, int workers, int states, int side, long packed, long batch, long student, long engine) {
    /** States held at once: in memory, this round's initial state and the next, and one that a late worker began at; on the driver's disk, the last copy and
     * the next. */
    private static final int STATES = 2;
    /** Slices held at once: those being averaged, and one in transfer to the driver. */
    private static final int SLICES = 1 + ExecutorState.MAX_AVERAGING;
    /** Floats per label: its id and probability, as read and as converted for the student. */
    private static final int FLOATS_OF_LABEL = 8;

    /** @param positions number of training positions; no batch has more */
    static TrainingMemory of(JavaSparkContext sc, Settings settings, CausalLmConfig config, int workers, long positions) {
        TrainingOptions options = TrainingSettings.options(settings, 1);
        int parameters = StudentMemory.parameters(config);
        int moments = options.optimizer() == TrainingOptions.Optimizer.SGD ? 0 : Math.multiplyExact(2, parameters);
        StateLayout layout = StateLayout.of(parameters, moments, TrainingSettings.outer(settings).momentumLength(parameters), workers);
        long longest = settings.integer("sequence-length", 2, 1 << 20);
        long rows = Math.min(positions, longest * TrainingSettings.batchSize(settings));
        long kept = (long) settings.targetSpec().k() + settings.targetSpec().draws();
        long packed = packed(settings, parameters, moments);
        return new TrainingMemory(layout, workers, TrainingSettings.grace(settings) > 0 ? STATES + 1 : STATES, Math.min(workers, Cluster.taskSlotsPerExecutor(sc)), packed,
                FLOATS_OF_LABEL * Float.BYTES * rows * kept,
                StudentMemory.training(config, TrainingSettings.engine(settings).ofStudent(options), rows, longest, kept, Cluster.coresPerTask(sc)),
                TrainingSettings.engine(settings) == TrainingEngine.ONNX ? OnnxTrainer.bytes(config, rows, longest) : 0);
    }

    private static long packed(Settings settings, int parameters, int moments) {
        Payload payload = TrainingSettings.payload(settings);
        if (TrainingSettings.averaging(settings) == Averaging.PARAMETERS) {
            // With what the worker owes, its part of what means owe and, if rounds overlap, where it began.
            return payload.bytes(parameters) + (TrainingSettings.overlap(settings) > 0 ? 3L : 2L) * Float.BYTES * parameters;
        }
        // In single precision the result is the student's own memory.
        return payload == Payload.FP32 ? 0 : Short.BYTES * ((long) parameters + moments);
    }

    /**
     * Checks that memory, and disk space for copies, suffice.
     *
     * @param labels bytes of the cache's files, which Spark sorts before each epoch
     * @throws org.potstill.errors.UserException if they do not suffice
     */
    void require(JavaSparkContext sc, long labels) {
        requireRoom(Path.of(Utils.getLocalDir(sc.getConf())));
        MemoryNeed need = new MemoryNeed(sc.getConf(), "training " + count(layout.parameters()) + " parameters",
                "train a smaller student, smaller batches (train.batch-size, train.gradient-checkpointing) or fewer workers side by side (spark.task.cpus)");
        if (sc.isLocal()) {
            need.driver(localHeap(), side * student + engine, labels);
        } else {
            need.driver(SLICES * layout.sliceBytes(), Float.BYTES * (long) layout.parameters(), 0);
            // While a worker trains one student, others may read its previous result from another.
            need.executors(executorHeap(), 2L * side * student + engine, labels / Cluster.executors(sc));
        }
    }

    private void requireRoom(Path folder) {
        try {
            long free = Files.getFileStore(folder).getUsableSpace();
            if (free < STATES * layout.bytes()) {
                throw JobErrors.noRoom("two copies of the student's state", folder.toString(), STATES * layout.bytes(), free,
                        "set spark.local.dir to a folder on a larger local disk");
            }
        } catch (IOException e) {
            throw JobErrors.unwritable("temporary files", folder.toString(), e);
        }
    }

    private static String count(int parameters) {
        return parameters < 1_000_000 ? String.valueOf(parameters) : Math.round(parameters / 1e6) + " million";
    }

    /** Returns the heap bytes needed with a local master. */
    long localHeap() {
        return states * layout.bytes() + SLICES * layout.sliceBytes() + side * (packed + batch);
    }

    /** Returns the heap bytes needed by an executor, including buffers for remote workers' results while they are averaged. */
    private long executorHeap() {
        return localHeap() + (long) ExecutorState.MAX_AVERAGING * Math.max(0, workers - side) * layout.sliceBytes();
    }
}
