// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadPoolExecutor;
import org.potstill.errors.UserException;
import org.potstill.teacher.generation.Answer;
import org.potstill.teacher.generation.AnswerRequest;
import org.potstill.teacher.generation.AnswerWriter;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.generation.WorkCounters;
import org.potstill.teacher.generation.WritingWork;
import org.potstill.teacher.scoring.InputLimits;

/**
 * A writer behind a URL. Each answer is a request of its own, with a seed that is a function of the prompt, the answer's number and the
 * seed of all: the server batches for itself, and one answer more does not change the others.
 */
public final class ServerWriter implements AnswerWriter {
    /** Seeds are below 2⁴⁰, which every reader of JSON keeps exactly. */
    private static final double SEEDS = 0x1p40;

    private final ServerOptions options;
    private final ServerClient client;
    private final InputLimits limits;
    private final ServerProtocol protocol;
    private final URI address;
    private final String model;
    private final SamplingOptions sampling;
    private final int[] stopIds;
    private final ThreadPoolExecutor requests;
    private final WorkCounters counters = new WorkCounters();
    private final BusyTime busy = new BusyTime();

    private ServerWriter(ServerModel model, SamplingOptions sampling) {
        this.options = model.options();
        this.client = model.client();
        this.limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        this.protocol = ServerProtocol.of(model.listed().owner());
        this.address = protocol.address(options.url());
        this.model = model.id();
        this.sampling = sampling;
        this.stopIds = model.tokenizer().stopIds().stream().mapToInt(id -> id).toArray();
        this.requests = client.threads();
    }

    /** @param sampling its seed is not used: each request has its own */
    public static ServerWriter open(ServerModel model, SamplingOptions sampling) {
        return new ServerWriter(model, sampling);
    }

    @Override
    public CompletableFuture<Answer> submit(AnswerRequest request) {
        try {
            limits.requirePrompt(request.prompt());
        } catch (UserException e) {
            return CompletableFuture.failedFuture(e);
        }
        int room = Math.min(request.maxNewTokens(), limits.maxPositionEmbeddings() + 1 - request.prompt().length);
        if (room == 0) {
            return CompletableFuture.completedFuture(new Answer(new int[0], Answer.End.LENGTH));
        }
        Continuation asked = new Continuation(new RequestTokens(request.prompt()), room, sampling, (long) (request.points().at(0) * SEEDS), stopIds);
        Requested result = new Requested(asked);
        requests.execute(result);
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
        busy.begin();
        try {
            int tokens = asked.prompt().ids().length + asked.maxNewTokens();
            return client.call(address, protocol.answering(model, asked), ServerClient.longestReply(tokens), body -> {
                ReplyAnswer reply = new ReplyAnswer(asked, limits.vocabSize());
                try {
                    protocol.readAnswer(body, reply);
                    Answer answer = reply.result();
                    counters.read(asked.prompt().ids().length, 0);
                    counters.wrote(answer.tokens().length + (answer.end() == Answer.End.STOP ? 1 : 0));
                    return answer;
                } catch (MismatchException e) {
                    throw ServerErrors.otherTokens(options.url(), e.getMessage());
                }
            });
        } finally {
            busy.end();
        }
    }

    @Override
    public synchronized WritingWork takeWork() {
        counters.worked(busy.take());
        return counters.take();
    }

    @Override
    public void close() {
        for (Runnable waiting : requests.shutdownNow()) {
            ((Requested) waiting).cancel(true);
        }
    }
}
