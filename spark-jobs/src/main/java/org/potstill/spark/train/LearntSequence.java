package org.potstill.spark.train;

import java.io.Serializable;
import org.potstill.softlabels.SoftTargets;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.student.TrainingSequence;

/**
 * A labelled sequence in one place of the corpus.
 *
 * @param row     of the cache
 * @param counted which of its positions are learnt from; null for all
 */
record LearntSequence(LabelledSequence row, boolean[] counted) implements Serializable {
    int count() {
        return counted == null ? row.positions() : count(counted);
    }

    static int count(boolean[] counted) {
        int count = 0;
        for (boolean each : counted) {
            count += each ? 1 : 0;
        }
        return count;
    }

    TrainingSequence with(SoftTargets targets) {
        return new TrainingSequence(row.tokens(), targets, counted);
    }
}
