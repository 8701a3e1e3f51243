// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.io.NativeWork;
import org.potstill.errors.UserException;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.Batches;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.LogitScores;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherThread;

/**
 * A teacher on ND4J, on the CPU or CUDA backend of this build.
 *
 * <p>Each sequence is a pass of its own: rounding in ND4J's matrix products may depend on their shapes, which then depend
 * on that sequence alone. It is padded on the right as in {@link Batches}, since ND4J retains some memory for every shape
 * it has seen. Soft targets are computed from full logits on the CPU, even if a GPU computes the logits.
 *
 * <p>All calls run on one thread, which owns ND4J's workspaces. The number of threads is global to the JVM: the last
 * setting, by teacher or student, applies to both and affects speed, not results.
 */
public final class Nd4jTeacher implements Teacher {
    private final TeacherOptions.Device device;
    private final ForkJoinPool pool;
    private final TeacherThread owner = new TeacherThread();
    private final Nd4jModel model;
    private final InputLimits limits;
    private final AtomicLong busyNanos = new AtomicLong();

    private Nd4jTeacher(TeacherOptions options, Supplier<Nd4jModel> open) {
        this.device = Nd4jDevice.require(options.device());
        this.pool = new ForkJoinPool(options.threads());
        try {
            this.model = pass("load its model", () -> {
                Nd4jRuntime.setThreads(options.threads());
                return open.get();
            });
        } catch (RuntimeException e) {
            owner.close();
            pool.shutdown();
            throw e;
        }
        this.limits = model.limits();
    }

    /** Opens a teacher; the checkpoint stays open, but is not needed after this returns. */
    public static Nd4jTeacher open(Checkpoint checkpoint, TeacherOptions options) {
        return new Nd4jTeacher(options, () -> new Nd4jLlama(checkpoint));
    }

    /**
     * Opens a teacher from a SameDiff file ({@code .fb}, see {@link SameDiffModel}) or a Deeplearning4j archive
     * ({@code .zip}, see {@link Dl4jModel}).
     */
    public static Nd4jTeacher open(Nd4jFile described, TeacherOptions options) {
        return new Nd4jTeacher(options, () -> {
            InputLimits limits = new InputLimits(described.vocabSize(), described.maxPositionEmbeddings());
            Path file = described.file();
            Nd4jModel model = Dl4jArchive.isOne(file) ? Dl4jModel.open(file, limits) : SameDiffModel.open(file, limits);
            try {
                CausalityProbe.require(model, file);
                return model;
            } catch (RuntimeException e) {
                model.close();
                throw e;
            }
        });
    }

    @Override
    public int vocabSize() {
        return limits.vocabSize();
    }

    @Override
    public TeacherOptions.Device device() {
        return device;
    }

    @Override
    public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
        limits.requireScorable(sequences);
        List<ScoredSequence> results = new ArrayList<>();
        for (int[] sequence : sequences) {
            long begin = System.nanoTime();
            results.add(pass("score a sequence of " + sequence.length + " tokens", () -> {
                LogitScores scores = new LogitScores(sequence, limits.vocabSize(), spec);
                int read = sequence.length - 1;
                model.logits(padded(sequence, read), read, (first, positions, logits) -> scores.add(first, positions, logits, pool));
                return scores.result();
            }));
            busyNanos.addAndGet(System.nanoTime() - begin);
        }
        return results;
    }

    @Override
    public Work takeWork() {
        return new Work(busyNanos.getAndSet(0) / 1e9, 0, Integer.MAX_VALUE);
    }

    @Override
    public float[] logits(int[] ids) {
        limits.requireReadable(ids);
        return pass("compute logits of " + ids.length + " positions", () -> model.logits(padded(ids, ids.length), ids.length));
    }

    @Override
    public void close() {
        if (!owner.isClosed()) {
            owner.run(() -> {
                model.close();
                return null;
            });
            owner.close();
            pool.shutdown();
        }
    }

    /** Returns the first ids, padded with zeros. */
    private int[] padded(int[] ids, int positions) {
        return Arrays.copyOf(Arrays.copyOf(ids, positions), Batches.paddedLength(positions + 1, limits.maxPositionEmbeddings()));
    }

    private <T> T pass(String what, Callable<T> work) {
        return owner.run(() -> {
            try {
                return NativeWork.call(work::call);
            } catch (UserException e) {
                throw e;
            } catch (RuntimeException | OutOfMemoryError e) {
                throw TeacherErrors.engineFailed(what, e);
            }
        });
    }
}
