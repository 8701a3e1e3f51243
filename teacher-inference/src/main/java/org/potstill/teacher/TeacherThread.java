package org.potstill.teacher;

import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.potstill.checkpoints.NativeWork;

/** The one thread that owns an engine and works off, one after another, what the callers' threads hand it. */
final class TeacherThread implements AutoCloseable {
    private final ExecutorService executor = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "potstill-teacher");
        thread.setDaemon(true);
        return thread;
    });

    /** Waits for its turn and for the result; what the work throws is thrown here. */
    <T> T run(Callable<T> work) {
        // Wholly in the gate: what is handed it makes and frees native things, too.
        Future<T> result = executor.submit(() -> NativeWork.call(work::call));
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

    boolean isClosed() {
        return executor.isShutdown();
    }

    @Override
    public void close() {
        executor.shutdown();
    }
}
