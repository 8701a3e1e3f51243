// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.server;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * A teacher behind a URL. Each sequence is a request of its own, as servers batch for themselves, and a failure then costs one sequence;
 * several are in flight at a time.
 */
public final class ServerTeacher implements Teacher {
    private final ServerRequests requests;

    private ServerTeacher(ServerModel model) {
        this.requests = new ServerRequests(model);
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
        return requests.limits().vocabSize();
    }

    /** Returns the CPU, as no GPU of this machine is used. */
    @Override
    public TeacherOptions.Device device() {
        return TeacherOptions.Device.CPU;
    }

    @Override
    public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
        require(spec);
        requests.limits().requireScorable(sequences);
        List<Future<ScoredSequence>> replies = new ArrayList<>();
        try {
            for (int[] sequence : sequences) {
                replies.add(requests.threads().submit(() -> score(sequence, Math.min(spec.k(), vocabSize()))));
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
        return requests.call(requests.protocol().scoring(requests.model(), sequence, k), sequence.length * (k + 2L), body -> {
            ReplyScores scores = new ReplyScores(sequence, k, vocabSize());
            requests.protocol().readScores(body, scores);
            return scores.result();
        });
    }

    @Override
    public Work takeWork() {
        return new Work(requests.takeBusy() / 1e9, 0, Integer.MAX_VALUE);
    }

    @Override
    public float[] logits(int[] ids) {
        throw ServerErrors.noWeights("compare whole distributions");
    }

    @Override
    public void close() {
        requests.threads().shutdownNow();
    }
}
