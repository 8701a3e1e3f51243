// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.InputLimits;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * A teacher behind a URL. Each sequence is a request of its own, as servers batch for themselves, and a failure then costs one sequence;
 * several are in flight at a time.
 */
public final class ServerTeacher implements Teacher {
    /** Bytes per log-probability in a reply, with the token's text, which may be escaped, and per reply. */
    private static final int ENTRY_BYTES = 1 << 10;
    private static final int REPLY_BYTES = 1 << 20;

    private final ServerOptions options;
    private final ServerClient client;
    private final InputLimits limits;
    private final ScoringProtocol protocol;
    private final URI address;
    private final String model;
    private final ThreadPoolExecutor requests;
    private int inFlight;
    private long busySince;
    private long busyNanos;

    private ServerTeacher(ServerModel model) {
        this.options = model.options();
        this.client = model.client();
        this.limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        this.protocol = ScoringProtocol.of(model.listed().owner());
        this.address = protocol.address(options.url());
        this.model = model.id();
        this.requests = new ThreadPoolExecutor(options.requests(), options.requests(), 1, TimeUnit.MINUTES, new LinkedBlockingQueue<>(), task -> {
            Thread thread = new Thread(task, "potstill-request");
            thread.setDaemon(true);
            return thread;
        });
        requests.allowCoreThreadTimeOut(true);
    }

    public static ServerTeacher open(ServerModel model) {
        return new ServerTeacher(model);
    }

    /**
     * Checks what a server can return.
     *
     * @throws org.potstill.errors.UserException if it cannot return these targets
     */
    public static void require(TargetSpec spec) {
        if (!spec.hasGhost()) {
            throw ServerErrors.noDraws();
        }
    }

    @Override
    public int vocabSize() {
        return limits.vocabSize();
    }

    /** Returns the CPU, as no GPU of this machine is used. */
    @Override
    public TeacherOptions.Device device() {
        return TeacherOptions.Device.CPU;
    }

    @Override
    public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
        require(spec);
        limits.requireScorable(sequences);
        List<Future<ScoredSequence>> replies = new ArrayList<>();
        try {
            for (int[] sequence : sequences) {
                replies.add(requests.submit(() -> score(sequence, Math.min(spec.k(), limits.vocabSize()))));
            }
            List<ScoredSequence> results = new ArrayList<>();
            for (Future<ScoredSequence> reply : replies) {
                results.add(reply.get());
            }
            return results;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RuntimeException known) {
                throw known;
            }
            throw new IllegalStateException(e.getCause());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for the teacher's server", e);
        } finally {
            replies.forEach(reply -> reply.cancel(true));
        }
    }

    private ScoredSequence score(int[] sequence, int k) throws InterruptedException {
        count(1);
        try {
            long maxBytes = REPLY_BYTES + (long) sequence.length * (k + 2) * ENTRY_BYTES;
            return client.call(address, protocol.request(model, sequence, k), (int) Math.min(maxBytes, Integer.MAX_VALUE - 8), body -> {
                ReplyScores scores = new ReplyScores(sequence, k, limits.vocabSize());
                try {
                    protocol.read(body, scores);
                    return scores.result();
                } catch (ReplyScores.MismatchException e) {
                    throw ServerErrors.otherTokens(options.url(), e.getMessage());
                }
            });
        } finally {
            count(-1);
        }
    }

    /** Counts requests in flight, to measure the time when there are any. */
    private synchronized void count(int more) {
        long now = System.nanoTime();
        if (inFlight > 0) {
            busyNanos += now - busySince;
        }
        busySince = now;
        inFlight += more;
    }

    @Override
    public synchronized Work takeWork() {
        count(0);
        Work work = new Work(busyNanos / 1e9, 0, Integer.MAX_VALUE);
        busyNanos = 0;
        return work;
    }

    @Override
    public float[] logits(int[] ids) {
        throw ServerErrors.noWeights("compare whole distributions");
    }

    @Override
    public void close() {
        requests.shutdownNow();
    }
}
