package org.potstill.spark.label;

import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.ScoredSequence;
import org.potstill.teacher.Teacher;

/** Scores batches one ahead of whoever uses them: the teacher works on while a task that is alone on it encodes. */
final class ScoreAhead {
    /** What is done with a batch, in the thread that asked. */
    interface Use {
        void accept(int batch, List<ScoredSequence> scored);
    }

    private ScoreAhead() {
    }

    /** In the order of the batches. A task that is killed meanwhile leaves at most one pass running, whose result is dropped. */
    static void forEach(Teacher teacher, TargetSpec spec, List<List<int[]>> batches, Use use) {
        ExecutorService ahead = Executors.newSingleThreadExecutor(task -> {
            Thread thread = new Thread(task, "potstill-ahead");
            thread.setDaemon(true);
            return thread;
        });
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
