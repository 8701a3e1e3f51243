package org.potstill.spark.label;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.DaemonThreads;
import org.potstill.teacher.Batches;
import org.potstill.teacher.ScoredSequence;
import org.potstill.teacher.Teacher;

/** Scores batches one ahead of whoever uses them: the teacher works on while a task that is alone on it encodes. */
final class ScoreAhead {
    /** What is done with a sequence, in the thread that asked. */
    interface UseOfOne<T> {
        void accept(T sequence, ScoredSequence scored);
    }

    /** What is done with a batch, in the thread that asked. */
    interface Use {
        void accept(int batch, List<ScoredSequence> scored);
    }

    private ScoreAhead() {
    }

    /**
     * In batches that {@link Batches} plans.
     *
     * @param tokens      of a sequence
     * @param longest     sequence that the teacher was made for
     * @param batchTokens padded tokens per forward pass
     */
    static <T> void forEach(Teacher teacher, TargetSpec spec, List<T> sequences, Function<T, int[]> tokens, int longest,
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

    /** In the order of the batches. A task that is killed meanwhile leaves at most one pass running, whose result is dropped. */
    static void forEach(Teacher teacher, TargetSpec spec, List<List<int[]>> batches, Use use) {
        ExecutorService ahead = Executors.newSingleThreadExecutor(DaemonThreads.named("potstill-ahead"));
        try {
            Future<List<ScoredSequence>> next = ahead.submit(() -> teacher.score(batches.get(0), spec));
            for (int i = 0; i < batches.size(); i++) {
                List<ScoredSequence> scored = next.get();
                if (i + 1 < batches.size()) {
                    List<int[]> following = batches.get(i + 1);
                    next = ahead.submit(() -> teacher.score(following, spec));
                }
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
}
