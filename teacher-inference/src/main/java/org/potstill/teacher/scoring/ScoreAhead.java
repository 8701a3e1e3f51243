// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.potstill.softlabels.TargetSpec;

/**
 * Scoring of batches ahead of the task that uses them, so that a single task keeps a teacher busy: while the engine runs
 * one batch, targets are built for the previous one, and the task encodes the one before that.
 */
public final class ScoreAhead {
    /** Batches in flight: one runs while the other is prepared or read. */
    private static final int AHEAD = 2;

    /** Receives a scored sequence, in the caller's thread. */
    public interface UseOfOne<T> {
        void accept(T sequence, ScoredSequence scored);
    }

    /** Receives a scored batch, in the caller's thread. */
    public interface Use {
        void accept(int batch, List<ScoredSequence> scored);
    }

    private ScoreAhead() {
    }

    /**
     * Scores sequences in batches planned by {@link Batches}, in the order of the plan.
     *
     * @param tokens      returns the token ids of a sequence
     * @param longest     the teacher's {@code maxPositionEmbeddings}
     * @param batchTokens padded tokens per forward pass
     */
    public static <T> void forEach(Teacher teacher, TargetSpec spec, List<T> sequences, Function<T, int[]> tokens, int longest,
            int batchTokens, UseOfOne<T> use) {
        List<int[]> ids = sequences.stream().map(tokens).toList();
        List<int[]> plan = Batches.plan(ids.stream().mapToInt(sequence -> sequence.length).toArray(), longest, batchTokens);
        List<List<int[]>> batches = plan.stream().map(batch -> Arrays.stream(batch).mapToObj(ids::get).toList()).toList();
        forEach(teacher, spec, batches, (batch, scored) -> {
            for (int i = 0; i < scored.size(); i++) {
                use.accept(sequences.get(plan.get(batch)[i]), scored.get(i));
            }
        });
    }

    /** Scores batches in their order. A task that is killed meanwhile leaves at most one pass running, whose result is dropped. */
    public static void forEach(Teacher teacher, TargetSpec spec, List<List<int[]>> batches, Use use) {
        ExecutorService ahead = Executors.newFixedThreadPool(AHEAD, task -> {
            Thread thread = new Thread(task, "potstill-ahead");
            thread.setDaemon(true);
            return thread;
        });
        Queue<Future<List<ScoredSequence>>> asked = new ArrayDeque<>();
        try {
            for (int i = 0; i < AHEAD; i++) {
                ask(ahead, asked, teacher, spec, batches, i);
            }
            for (int i = 0; i < batches.size(); i++) {
                List<ScoredSequence> scored = asked.remove().get();
                ask(ahead, asked, teacher, spec, batches, i + AHEAD);
                use.accept(i, scored);
            }
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException known) {
                throw known;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("the task was interrupted while the teacher worked", e);
        } finally {
            ahead.shutdownNow();
        }
    }

    private static void ask(ExecutorService ahead, Queue<Future<List<ScoredSequence>>> asked, Teacher teacher, TargetSpec spec,
            List<List<int[]>> batches, int batch) {
        if (batch < batches.size()) {
            asked.add(ahead.submit(() -> teacher.score(batches.get(batch), spec)));
        }
    }
}
