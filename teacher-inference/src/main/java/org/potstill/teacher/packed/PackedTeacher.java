// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.packed;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.kernels.OneDnn;
import org.potstill.kernels.RowMatrix;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherThread;

/**
 * A teacher in bfloat16 on a CPU with instructions for it: {@link PackedDecoder} and a head that turns logits into soft targets a
 * chunk at a time, so that they stay in the cache. Scores depend on the sequence and on the kind of processor alone.
 */
public final class PackedTeacher implements Teacher {
    /** Rows of a pass, which bounds its memory. */
    private static final int MAX_ROWS = 8192;

    static {
        NativeLibraries.keepPrivate();
        // OpenMP, which oneDNN loads, reads its settings once: a student in the same process needs them.
        Nd4jRuntime.prepare();
    }

    private final CausalLmConfig config;
    private final InputLimits limits;
    private final TeacherThread owner = new TeacherThread();
    private final AtomicLong busyNanos = new AtomicLong();
    private final PackedDecoder decoder;
    private final HeadScores head;

    private PackedTeacher(Checkpoint checkpoint, RowMatrix.Type type, int threads) {
        this.config = checkpoint.config();
        this.limits = new InputLimits(config.vocabSize(), config.maxPositionEmbeddings());
        try {
            this.decoder = work("load its model", () -> new PackedDecoder(checkpoint, type, threads));
        } catch (RuntimeException e) {
            owner.close();
            throw e;
        }
        this.head = new HeadScores(decoder.weights(), config.vocabSize(), config.traits().softcaps().logits());
    }

    /**
     * Opens a teacher in bfloat16; the checkpoint stays open, but is not needed after this returns.
     *
     * @throws org.potstill.errors.UserException if the processor cannot multiply in bfloat16
     */
    public static PackedTeacher open(Checkpoint checkpoint, TeacherOptions options) {
        if (!OneDnn.canUseBf16()) {
            throw TeacherErrors.noBf16();
        }
        return new PackedTeacher(checkpoint, RowMatrix.Type.BF16, options.threads());
    }

    /** Opens the same in single precision, which runs on more processors: for tests. */
    static PackedTeacher exact(Checkpoint checkpoint, int threads) {
        return new PackedTeacher(checkpoint, RowMatrix.Type.FP32, threads);
    }

    @Override
    public int vocabSize() {
        return config.vocabSize();
    }

    @Override
    public TeacherOptions.Device device() {
        return TeacherOptions.Device.CPU;
    }

    @Override
    public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
        limits.requireScorable(sequences);
        TargetSpec bounded = new TargetSpec(Math.min(spec.k(), config.vocabSize()), spec.draws(), spec.seed());
        List<ScoredSequence> results = new ArrayList<>();
        for (int from = 0; from < sequences.size();) {
            int to = from + 1;
            int rows = RowPlan.rows(sequences.get(from).length - 1);
            while (to < sequences.size() && rows + RowPlan.rows(sequences.get(to).length - 1) <= MAX_ROWS) {
                rows += RowPlan.rows(sequences.get(to++).length - 1);
            }
            List<int[]> part = sequences.subList(from, to);
            results.addAll(work("score " + part.size() + " sequences", () -> pass(part, bounded)));
            from = to;
        }
        return results;
    }

    private List<ScoredSequence> pass(List<int[]> sequences, TargetSpec spec) {
        long begin = System.nanoTime();
        RowPlan plan = RowPlan.of(sequences.stream().map(s -> Arrays.copyOf(s, s.length - 1)).toList(), decoder.threads());
        List<SequenceScores> scores = sequences.stream().map(s -> new SequenceScores(s, spec)).toList();
        int[] owners = new int[plan.rows()];
        for (int s = 0; s < sequences.size(); s++) {
            Arrays.fill(owners, plan.starts()[s], plan.starts()[s + 1], s);
        }
        decoder.run(plan, (unit, hidden) -> {
            PositionScores[] rows = new PositionScores[unit.rows()];
            head.each(hidden, unit.rows(), (row, chunk, logits, other, n) -> {
                int at = unit.from() + row;
                SequenceScores of = scores.get(owners[at]);
                int position = plan.positions()[at];
                if (position >= of.positions()) {
                    return;
                }
                if (rows[row] == null) {
                    rows[row] = new PositionScores(spec.k(), decoder.weights().chunks());
                }
                rows[row].add(chunk, logits, other, n, chunk * DecoderWeights.CHUNK, of.next(position));
                if (chunk == decoder.weights().chunks() - 1) {
                    rows[row].end();
                    of.keep(position, rows[row]);
                }
            }, spec.draws() == 0 ? null : (row, logits, memory) -> {
                if (rows[row] != null) {
                    int at = unit.from() + row;
                    scores.get(owners[at]).draw(plan.positions()[at], rows[row], logits, memory);
                }
            });
        });
        List<ScoredSequence> results = scores.stream().map(SequenceScores::result).toList();
        busyNanos.addAndGet(System.nanoTime() - begin);
        return results;
    }

    @Override
    public float[] logits(int[] ids) {
        limits.requireReadable(ids);
        return work("compute logits of " + ids.length + " positions", () -> {
            float[] all = new float[ids.length * config.vocabSize()];
            decoder.run(RowPlan.of(List.of(ids), decoder.threads()), (unit, hidden) ->
                    head.each(hidden, unit.rows(), (row, chunk, logits, other, n) -> {
                        if (unit.from() + row < ids.length) {
                            System.arraycopy(logits.values, 0, all, (unit.from() + row) * config.vocabSize() + chunk * DecoderWeights.CHUNK, n);
                        }
                    }, null));
            return all;
        });
    }

    @Override
    public Work takeWork() {
        return new Work(busyNanos.getAndSet(0) / 1e9, 0, Integer.MAX_VALUE);
    }

    @Override
    public void close() {
        if (!owner.isClosed()) {
            owner.run(() -> {
                head.close();
                decoder.close();
                return null;
            });
            owner.close();
        }
    }

    private <T> T work(String what, Callable<T> work) {
        return owner.run(() -> {
            try {
                return work.call();
            } catch (IllegalStateException | OutOfMemoryError e) {
                throw TeacherErrors.engineFailed(what, e);
            }
        });
    }
}
