// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.util.concurrent.CompletableFuture;
import org.potstill.errors.UserException;
import org.potstill.teacher.generation.Answer;
import org.potstill.teacher.generation.AnswerRequest;
import org.potstill.teacher.generation.AnswerWriter;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.generation.WorkCounters;
import org.potstill.teacher.generation.WritingWork;

/**
 * A writer behind a URL. Each answer is a request of its own, with a seed that is a function of the prompt, the answer's number and the
 * seed of all: the server batches for itself, and one answer more does not change the others.
 */
public final class ServerWriter implements AnswerWriter {
    /** Seeds are below 2⁴⁰, which every reader of JSON keeps exactly. */
    private static final double SEEDS = 0x1p40;

    private final ServerRequests requests;
    private final SamplingOptions sampling;
    private final int[] stopIds;
    private final WorkCounters counters = new WorkCounters();

    private ServerWriter(ServerModel model, SamplingOptions sampling) {
        this.requests = new ServerRequests(model);
        this.sampling = sampling;
        this.stopIds = model.tokenizer().stopIds().stream().mapToInt(id -> id).toArray();
    }

    /** @param sampling its seed is not used: each request has its own */
    public static ServerWriter open(ServerModel model, SamplingOptions sampling) {
        return new ServerWriter(model, sampling);
    }

    @Override
    public CompletableFuture<Answer> submit(AnswerRequest request) {
        try {
            requests.limits().requirePrompt(request.prompt());
        } catch (UserException e) {
            return CompletableFuture.failedFuture(e);
        }
        int room = Math.min(request.maxNewTokens(), requests.limits().maxPositionEmbeddings() + 1 - request.prompt().length);
        if (room == 0) {
            return CompletableFuture.completedFuture(new Answer(new int[0], Answer.End.LENGTH));
        }
        Continuation asked = new Continuation(new RequestTokens(request.prompt()), room, sampling, (long) (request.points().at(0) * SEEDS), stopIds);
        Requested result = new Requested(asked);
        requests.threads().execute(result);
        return result;
    }

    /** An answer to wait for. Cancelling it ends its request. */
    private final class Requested extends CompletableFuture<Answer> implements Runnable {
        private final Continuation asked;
        /** Null unless the request is under way. Guarded by this. */
        private Thread sender;

        Requested(Continuation asked) {
            this.asked = asked;
        }

        @Override
        public void run() {
            synchronized (this) {
                if (isDone()) {
                    return;
                }
                sender = Thread.currentThread();
            }
            try {
                complete(answer(asked));
            } catch (InterruptedException e) {
                super.cancel(true);
            } catch (RuntimeException | Error e) {
                completeExceptionally(e);
            } finally {
                synchronized (this) {
                    sender = null;
                }
            }
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            synchronized (this) {
                if (sender != null) {
                    sender.interrupt();
                }
            }
            return super.cancel(mayInterruptIfRunning);
        }
    }

    private Answer answer(Continuation asked) throws InterruptedException {
        int read = asked.prompt().ids().length;
        return requests.call(requests.protocol().answering(requests.model(), asked), read + asked.maxNewTokens(), body -> {
            ReplyAnswer reply = new ReplyAnswer(asked, requests.limits().vocabSize());
            requests.protocol().readAnswer(body, reply);
            Answer answer = reply.result();
            counters.read(read, 0);
            counters.wrote(answer.tokens().length + (answer.end() == Answer.End.STOP ? 1 : 0));
            return answer;
        });
    }

    @Override
    public synchronized WritingWork takeWork() {
        counters.worked(requests.takeBusy());
        return counters.take();
    }

    @Override
    public void close() {
        for (Runnable waiting : requests.threads().shutdownNow()) {
            ((Requested) waiting).cancel(true);
        }
    }
}
