// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.util.List;
import org.potstill.softlabels.TargetSpec;

/** A language model that scores text. One instance per executor; thread-safe, but calls run one at a time. */
public interface Teacher extends AutoCloseable {
    /** Returns the number of logits per position. */
    int vocabSize();

    /**
     * Scores sequences, with one forward pass per padded length, see {@link Batches}, or several if memory is short. The
     * scores of a sequence do not depend, to the bit, on the others in the list; its {@link ScoredSequence#entropies}
     * may.
     *
     * @param sequences token ids, each 2 to {@code maxPositionEmbeddings + 1} long; padded internally
     * @param spec      what to keep of each distribution
     * @return one result per sequence, in order, with {@code length − 1} positions or a problem: a sequence on which the
     *         weights overflow does not affect the others
     * @throws org.potstill.errors.UserException if a sequence is out of range, or alone does not fit into memory
     */
    List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec);

    /**
     * Computes the full logits of one sequence, the slow and simple way: for evaluation and as the reference for {@link
     * #score}.
     */
    float[] logits(int[] ids);

    /** Returns the device in use, never AUTO. */
    TeacherOptions.Device device();

    /**
     * Work done by a teacher.
     *
     * @param seconds     time spent in scoring passes
     * @param halvings    how often a batch was halved because memory ran out
     * @param tokenBudget padded tokens of the largest pass from now on; {@link Integer#MAX_VALUE} if memory never ran out
     */
    record Work(double seconds, int halvings, int tokenBudget) {
    }

    /** Returns the work since the last call, from any thread: tasks that share a teacher never see the same work twice. */
    Work takeWork();

    @Override
    void close();
}
