// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.potstill.checkpoints.io.NativeWork;

/** The single thread that owns an engine and runs callers' work one piece at a time. */
public final class TeacherThread implements AutoCloseable {
    private final ExecutorService executor = Executors.newSingleThreadExecutor(task -> {
        Thread thread = new Thread(task, "potstill-teacher");
        thread.setDaemon(true);
        return thread;
    });

    /** Runs work in the thread and waits for the result; rethrows what the work throws. */
    public <T> T run(Callable<T> work) {
        // All of it goes through the gate: the work also allocates and frees native objects.
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
            // The task was killed. A pass already running completes; a waiting one never starts.
            result.cancel(false);
            Thread.currentThread().interrupt();
            throw (CancellationException) new CancellationException("interrupted while the teacher worked").initCause(e);
        }
    }

    public boolean isClosed() {
        return executor.isShutdown();
    }

    @Override
    public void close() {
        executor.shutdown();
    }
}
