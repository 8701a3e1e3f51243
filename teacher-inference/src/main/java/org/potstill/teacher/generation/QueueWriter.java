// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.generation;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import org.potstill.checkpoints.CausalLm;
import org.potstill.errors.UserException;
import org.potstill.teacher.scoring.InputLimits;

/** A writer with a queue of requests and one thread, which owns the engine. */
abstract class QueueWriter implements AnswerWriter {
    final WorkCounters counters = new WorkCounters();
    final Set<Integer> stopIds;
    final int maxPositions;
    private final InputLimits limits;
    private final Thread thread = new Thread(this::run, "potstill-writer");

    /** Guarded by this. */
    final Deque<TextInSlot> queue = new ArrayDeque<>();
    private boolean closed;

    QueueWriter(CausalLm model) {
        limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        maxPositions = model.maxPositionEmbeddings();
        stopIds = Set.copyOf(model.tokenizer().stopIds());
    }

    /** Starts the thread, which alone calls the methods below. */
    final void start() {
        thread.setDaemon(true);
        thread.start();
    }

    /** Returns whether texts that are no longer in the queue are being written. */
    abstract boolean isBusy();

    /** Writes one or more tokens of one or more texts. */
    abstract void advance();

    /** Ends all texts that are no longer in the queue. */
    abstract void endAll(Throwable why);

    /** Frees the engine. */
    abstract void free();

    @Override
    public final CompletableFuture<Answer> submit(AnswerRequest request) {
        try {
            limits.requirePrompt(request.prompt());
        } catch (UserException e) {
            return CompletableFuture.failedFuture(e);
        }
        CompletableFuture<Answer> result = new CompletableFuture<>();
        if (request.maxNewTokens() == 0) {
            result.complete(new Answer(new int[0], Answer.End.LENGTH));
            return result;
        }
        synchronized (this) {
            if (closed) {
                throw new IllegalStateException("the writer is closed");
            }
            queue.add(new TextInSlot(request, result));
            notifyAll();
        }
        return result;
    }

    @Override
    public final WritingWork takeWork() {
        return counters.take();
    }

    private void run() {
        try {
            while (awaitWork()) {
                long begin = System.nanoTime();
                try {
                    advance();
                } catch (RuntimeException | Error e) {
                    // None of these texts can be finished, but the next may.
                    endAll(e);
                }
                counters.worked(System.nanoTime() - begin);
            }
        } finally {
            free();
        }
    }

    private synchronized boolean awaitWork() {
        boolean interrupted = false;
        while (!closed && !isBusy() && queue.isEmpty()) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        return !closed;
    }

    @Override
    public final void close() {
        synchronized (this) {
            closed = true;
            notifyAll();
        }
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        endAll(new CancellationException("the writer is closed"));
        synchronized (this) {
            queue.forEach(text -> text.result.completeExceptionally(new CancellationException("the writer is closed")));
        }
    }
}
