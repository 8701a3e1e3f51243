// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.Batches;
import org.potstill.teacher.scoring.EngineOutOfMemory;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherThread;
import org.potstill.teacher.scoring.TokenBatch;

/**
 * A teacher on ONNX Runtime, on CPU or CUDA.
 *
 * <p>One thread owns the sessions, and calls from several tasks queue up. On CUDA, a session called from several threads
 * leaks memory (onnxruntime #29351); on the CPU, concurrent calls would compete for the same cores.
 */
public final class OnnxTeacher implements Teacher {
    private final int vocabSize;
    private final int maxPositionEmbeddings;
    private final TeacherOptions options;
    private final InputLimits limits;
    private final Map<LlamaGraph.Ending, OnnxModel> models = new EnumMap<>(LlamaGraph.Ending.class);
    private final TeacherThread owner = new TeacherThread();
    private final TeacherOptions.Device device;
    /**
     * Sessions, opened on first use except the one for the options' targets; at most one that scores. Only for the
     * owner's thread.
     */
    private final Map<LlamaGraph.Ending, OnnxEngine> engines = new EnumMap<>(LlamaGraph.Ending.class);
    /** Idle buffers, at most one for each pass that ever ran concurrently. */
    private final Queue<PassBuffers> idleBuffers = new ConcurrentLinkedQueue<>();
    /** Padded tokens per pass that are believed to fit into memory. */
    private final AtomicInteger tokenBudget = new AtomicInteger(Integer.MAX_VALUE);
    private final AtomicInteger halvings = new AtomicInteger();
    private final AtomicLong busyNanos = new AtomicLong();

    private OnnxTeacher(CausalLm model, TeacherOptions options) {
        this.vocabSize = model.vocabSize();
        this.maxPositionEmbeddings = model.maxPositionEmbeddings();
        this.options = options;
        this.limits = new InputLimits(vocabSize, maxPositionEmbeddings);
        CausalLm.Calibration calibration = CalibrationText.calibration(model, options);
        for (LlamaGraph.Ending ending : List.of(LlamaGraph.Ending.LOGITS, LlamaGraph.Ending.SCORES, LlamaGraph.Ending.DRAWS,
                LlamaGraph.Ending.SCORES_AND_DRAWS)) {
            models.put(ending, model.onnx(ending, options.precision(), calibration, options.scratch()));
        }
        try {
            this.device = owner.run(() -> engine(ending(options.targets())).device());
        } catch (RuntimeException e) {
            owner.close();
            throw e;
        }
    }

    /** Opens a teacher from a model file or folder, see {@link Checkpoints#model}. */
    public static OnnxTeacher open(Path path, TeacherOptions options) {
        OnnxEngine.requireDevice(options.device());
        try (CausalLm model = Checkpoints.model(path)) {
            return open(model, options);
        }
    }

    /** Opens a teacher; the model stays open, but is not needed after this returns. */
    public static OnnxTeacher open(CausalLm model, TeacherOptions options) {
        OnnxEngine.requireDevice(options.device());
        return new OnnxTeacher(model, options);
    }

    @Override
    public int vocabSize() {
        return vocabSize;
    }

    @Override
    public TeacherOptions.Device device() {
        return device;
    }

    @Override
    public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
        limits.requireScorable(sequences);
        int[] lengths = sequences.stream().mapToInt(s -> s.length).toArray();
        TargetSpec bounded = new TargetSpec(Math.min(spec.k(), vocabSize), spec.draws(), spec.seed());
        // One pass per padded length: usually one in all, as callers batch by length.
        Deque<int[]> passes = new ArrayDeque<>(Batches.plan(lengths, maxPositionEmbeddings, tokenBudget.get()));
        ScoredSequence[] results = new ScoredSequence[lengths.length];
        while (!passes.isEmpty()) {
            int[] members = passes.pop();
            int padded = Batches.paddedLength(lengths[members[0]], maxPositionEmbeddings);
            int rows = Math.max(1, tokenBudget.get() / padded);
            if (rows < members.length) {
                passes.push(Arrays.copyOfRange(members, rows, members.length));
                members = Arrays.copyOf(members, rows);
            }
            try {
                pass(sequences, members, padded, bounded, results);
            } catch (EngineOutOfMemory e) {
                if (members.length == 1) {
                    throw TeacherErrors.outOfMemory(padded, e.getCause());
                }
                // Stays lower for the teacher's lifetime, so that later batches do not fail first.
                tokenBudget.accumulateAndGet(members.length / 2 * padded, Math::min);
                halvings.incrementAndGet();
                passes.push(members);
            }
        }
        return new ArrayList<>(Arrays.asList(results));
    }

    private void pass(List<int[]> sequences, int[] members, int padded, TargetSpec spec, ScoredSequence[] results) {
        List<int[]> rows = Arrays.stream(members).mapToObj(sequences::get).toList();
        PassBuffers buffers = Objects.requireNonNullElseGet(idleBuffers.poll(), PassBuffers::new);
        ScoringPass pass = new ScoringPass(new TokenBatch(rows, padded), spec, buffers);
        owner.run(() -> {
            long begin = System.nanoTime();
            try {
                engine(ending(spec)).run(pass);
                return null;
            } finally {
                busyNanos.addAndGet(System.nanoTime() - begin);
            }
        });
        List<ScoredSequence> scored = pass.read();
        // Not after an exception: the pass of a killed task may still be running.
        idleBuffers.add(buffers);
        for (int i = 0; i < members.length; i++) {
            results[members[i]] = scored.get(i);
        }
    }

    @Override
    public Work takeWork() {
        return new Work(busyNanos.getAndSet(0) / 1e9, halvings.getAndSet(0), tokenBudget.get());
    }

    @Override
    public float[] logits(int[] ids) {
        limits.requireReadable(ids);
        try {
            return owner.run(() -> logitsInOwner(ids));
        } catch (EngineOutOfMemory e) {
            throw TeacherErrors.outOfMemory(ids.length, e.getCause());
        }
    }

    private float[] logitsInOwner(int[] ids) {
        // The last token of a batch is predicted, not read, so any valid id will do.
        int[] sequence = Arrays.copyOf(ids, ids.length + 1);
        int padded = Batches.paddedLength(sequence.length, maxPositionEmbeddings);
        return engine(LlamaGraph.Ending.LOGITS).logits(new TokenBatch(List.of(sequence), padded), vocabSize);
    }

    @Override
    public void close() {
        if (!owner.isClosed()) {
            owner.run(() -> {
                engines.values().forEach(OnnxEngine::close);
                return null;
            });
            owner.close();
        }
    }

    private static LlamaGraph.Ending ending(TargetSpec spec) {
        return spec.draws() == 0 ? LlamaGraph.Ending.SCORES
                : spec.k() == 0 ? LlamaGraph.Ending.DRAWS : LlamaGraph.Ending.SCORES_AND_DRAWS;
    }

    /** Returns the session for an ending, opened if necessary. Only for the owner's thread. */
    private OnnxEngine engine(LlamaGraph.Ending ending) {
        if (ending != LlamaGraph.Ending.LOGITS && !engines.containsKey(ending)) {
            // Each session holds the weights, and memory is planned for one that scores.
            engines.entrySet().removeIf(open -> {
                if (open.getKey() != LlamaGraph.Ending.LOGITS) {
                    open.getValue().close();
                }
                return open.getKey() != LlamaGraph.Ending.LOGITS;
            });
        }
        return engines.computeIfAbsent(ending, wanted -> {
            OnnxModel model = models.get(wanted);
            return OnnxEngine.open(model.bytes(), model.weights(), options);
        });
    }
}
