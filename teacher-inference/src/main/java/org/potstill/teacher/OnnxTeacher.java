package org.potstill.teacher;

import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.potstill.checkpoints.CausalLmConfig;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Checkpoints;
import org.potstill.checkpoints.ExternalWeights;
import org.potstill.checkpoints.LlamaGraph;
import org.potstill.softlabels.TargetSpec;

/**
 * A teacher on ONNX Runtime, CPU or CUDA.
 *
 * <p>One session, owned by one thread: calls from several tasks queue up. A session that is called from several
 * threads leaks on CUDA (onnxruntime #29351), and on the CPU they would fight for the same cores.
 */
public final class OnnxTeacher implements Teacher {
    private final CausalLmConfig config;
    private final TeacherOptions options;
    private final Path weights;
    private final ExecutorService owner;
    private final OnnxEngine scores;
    /** Made when first asked for: most runs never need full logits. Only the owner touches it. */
    private OnnxEngine logits;
    /** Padded tokens of a pass that memory is believed to hold. */
    private final AtomicInteger tokenBudget = new AtomicInteger(Integer.MAX_VALUE);
    private final AtomicInteger halvings = new AtomicInteger();
    private final AtomicLong busyNanos = new AtomicLong();

    /**
     * What a teacher did.
     *
     * @param seconds  it spent in passes that score
     * @param halvings how often memory ran out and a batch was halved
     */
    public record Work(double seconds, int halvings) {
    }

    private OnnxTeacher(CausalLmConfig config, TeacherOptions options, Path weights) {
        this.config = config;
        this.options = options;
        this.weights = weights;
        this.owner = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "potstill-teacher");
            thread.setDaemon(true);
            return thread;
        });
        try {
            this.scores = inOwner(() -> engine(LlamaGraph.Ending.SCORES));
        } catch (RuntimeException e) {
            owner.shutdown();
            throw e;
        }
    }

    /** Whether this build has ONNX Runtime for CUDA; whether there is a usable GPU is another question. */
    public static boolean hasCuda() {
        return OnnxEngine.hasCuda();
    }

    /** Fails at once where CUDA is demanded and this build has none. */
    public static void requireDevice(TeacherOptions.Device device) {
        OnnxEngine.requireDevice(device);
    }

    /** Opens a teacher from a checkpoint file, see {@link Checkpoints#open}. */
    public static OnnxTeacher open(Path file, TeacherOptions options) {
        OnnxEngine.requireDevice(options.device());
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            return open(checkpoint, options);
        }
    }

    /** Opens a teacher; the checkpoint is not needed any more when this returns, and stays open. */
    public static OnnxTeacher open(Checkpoint checkpoint, TeacherOptions options) {
        OnnxEngine.requireDevice(options.device());
        Path weights = ExternalWeights.materialize(checkpoint, options.scratch());
        return new OnnxTeacher(checkpoint.config(), options, weights);
    }

    @Override
    public int vocabSize() {
        return config.vocabSize();
    }

    /** The device in use: never AUTO. */
    public TeacherOptions.Device device() {
        return scores.device();
    }

    @Override
    public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
        int[] lengths = new int[sequences.size()];
        for (int i = 0; i < lengths.length; i++) {
            lengths[i] = sequences.get(i).length;
            requireSound(i, sequences.get(i), 2, config.maxPositionEmbeddings() + 1);
        }
        int k = Math.min(spec.k(), config.vocabSize());
        // One pass for each padded length: usually one, as callers batch by length.
        Deque<int[]> passes = new ArrayDeque<>(Batches.plan(lengths, config.maxPositionEmbeddings(), tokenBudget.get()));
        ScoredSequence[] results = new ScoredSequence[lengths.length];
        while (!passes.isEmpty()) {
            int[] members = passes.pop();
            int padded = Batches.paddedLength(lengths[members[0]], config.maxPositionEmbeddings());
            int rows = Math.max(1, tokenBudget.get() / padded);
            if (rows < members.length) {
                passes.push(Arrays.copyOfRange(members, rows, members.length));
                members = Arrays.copyOf(members, rows);
            }
            try {
                pass(sequences, members, padded, k, results);
            } catch (EngineOutOfMemory e) {
                if (members.length == 1) {
                    throw TeacherErrors.outOfMemory(padded, e.getCause());
                }
                // For the rest of this teacher's life, so that not every batch fails first.
                tokenBudget.accumulateAndGet(members.length / 2 * padded, Math::min);
                halvings.incrementAndGet();
                passes.push(members);
            }
        }
        return new ArrayList<>(Arrays.asList(results));
    }

    private void pass(List<int[]> sequences, int[] members, int padded, int k, ScoredSequence[] results) {
        List<int[]> rows = Arrays.stream(members).mapToObj(sequences::get).toList();
        List<ScoredSequence> scored = inOwner(() -> {
            long begin = System.nanoTime();
            try {
                return scores.score(new TokenBatch(rows, padded), k);
            } finally {
                busyNanos.addAndGet(System.nanoTime() - begin);
            }
        });
        for (int i = 0; i < members.length; i++) {
            results[members[i]] = scored.get(i);
        }
    }

    /** Since this was last asked by anyone: of tasks that share a teacher, each piece of work is told to one. */
    public Work takeWork() {
        return new Work(busyNanos.getAndSet(0) / 1e9, halvings.getAndSet(0));
    }

    /** Padded tokens of the largest pass from now on; {@link Integer#MAX_VALUE} while memory has never run out. */
    public int tokenBudget() {
        return tokenBudget.get();
    }

    @Override
    public float[] logits(int[] ids) {
        requireSound(0, ids, 1, config.maxPositionEmbeddings());
        if ((long) ids.length * config.vocabSize() > Integer.MAX_VALUE / 4) {
            throw TeacherErrors.tooManyLogits(ids.length, config.vocabSize());
        }
        try {
            return inOwner(() -> logitsInOwner(ids));
        } catch (EngineOutOfMemory e) {
            throw TeacherErrors.outOfMemory(ids.length, e.getCause());
        }
    }

    private float[] logitsInOwner(int[] ids) {
        if (logits == null) {
            logits = engine(LlamaGraph.Ending.LOGITS);
        }
        // The batch's last token is what is predicted, not read: any valid id ends it.
        int[] sequence = Arrays.copyOf(ids, ids.length + 1);
        int padded = Batches.paddedLength(sequence.length, config.maxPositionEmbeddings());
        return logits.logits(new TokenBatch(List.of(sequence), padded), config.vocabSize());
    }

    @Override
    public void close() {
        if (!owner.isShutdown()) {
            inOwner(() -> {
                scores.close();
                if (logits != null) {
                    logits.close();
                }
                return null;
            });
            owner.shutdown();
        }
    }

    private OnnxEngine engine(LlamaGraph.Ending ending) {
        return OnnxEngine.open(LlamaGraph.build(config, ending, LlamaGraph.Kernels.FUSED), weights, options);
    }

    private void requireSound(int index, int[] ids, int min, int max) {
        if (ids.length < min || ids.length > max) {
            throw TeacherErrors.badLength(index, ids.length, min, max);
        }
        for (int t = 0; t < ids.length; t++) {
            if (ids[t] < 0 || ids[t] >= config.vocabSize()) {
                throw TeacherErrors.badToken(index, t, ids[t], config.vocabSize());
            }
        }
    }

    private <T> T inOwner(Callable<T> work) {
        Future<T> result = owner.submit(work);
        try {
            return result.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException known) {
                throw known;
            }
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            // The task was killed. A pass that runs already runs to its end, one that waits never starts.
            result.cancel(false);
            Thread.currentThread().interrupt();
            throw (CancellationException) new CancellationException("interrupted while the teacher worked").initCause(e);
        }
    }
}
