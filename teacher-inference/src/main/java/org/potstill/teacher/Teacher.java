package org.potstill.teacher;

import java.util.List;
import org.potstill.softlabels.TargetSpec;

/** A language model that scores text. One instance per executor; safe for use by several threads, which take turns. */
public interface Teacher extends AutoCloseable {
    int vocabSize();

    /**
     * Scores sequences: one forward pass for each padded length among them, see {@link Batches}, or several where memory
     * does not hold it. What is said of a sequence does not depend, to the bit, on the others in the list.
     *
     * @param sequences token ids, each 2 to {@code maxPositionEmbeddings + 1} long; padded on the right inside
     * @return one result a sequence, in order, with {@code length − 1} positions each, or with a problem: a sequence that
     *         the weights overflow on does not spoil the others
     */
    List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec);

    /**
     * Full logits of one sequence, the plain and slow way: for evaluation and as the oracle of {@link #score}.
     *
     * @return row-major {@code [ids.length, vocabSize]}
     */
    float[] logits(int[] ids);

    /** The device in use: never AUTO. */
    TeacherOptions.Device device();

    /**
     * What a teacher did.
     *
     * @param seconds     it spent in passes that score
     * @param halvings    how often memory ran out and a batch was halved
     * @param tokenBudget padded tokens of the largest pass from now on; {@link Integer#MAX_VALUE} while memory never ran out
     */
    record Work(double seconds, int halvings, int tokenBudget) {
    }

    /** Since this was last asked by anyone: of tasks that share a teacher, each piece of work is told to one. */
    Work takeWork();

    @Override
    void close();
}
