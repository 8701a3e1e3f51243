// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadPoolExecutor;
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
    private final ServerOptions options;
    private final ServerClient client;
    private final InputLimits limits;
    private final ServerProtocol protocol;
    private final URI address;
    private final String model;
    private final ThreadPoolExecutor requests;
    private final BusyTime busy = new BusyTime();

    private ServerTeacher(ServerModel model) {
        this.options = model.options();
        this.client = model.client();
        this.limits = new InputLimits(model.vocabSize(), model.maxPositionEmbeddings());
        this.protocol = ServerProtocol.of(model.listed().owner());
        this.address = protocol.address(options.url());
        this.model = model.id();
        this.requests = client.threads();
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
        busy.begin();
        try {
            return client.call(address, protocol.scoring(model, sequence, k), ServerClient.longestReply(sequence.length * (k + 2L)), body -> {
                ReplyScores scores = new ReplyScores(sequence, k, limits.vocabSize());
                try {
                    protocol.readScores(body, scores);
                    return scores.result();
                } catch (MismatchException e) {
                    throw ServerErrors.otherTokens(options.url(), e.getMessage());
                }
            });
        } finally {
            busy.end();
        }
    }

    @Override
    public Work takeWork() {
        return new Work(busy.take() / 1e9, 0, Integer.MAX_VALUE);
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
