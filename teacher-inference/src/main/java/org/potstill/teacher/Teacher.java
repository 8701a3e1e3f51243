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

    @Override
    void close();
}
