// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.Serializable;
import org.potstill.softlabels.SoftTargets;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.student.batch.TrainingSequence;

/**
 * A labelled sequence at one place in the corpus.
 *
 * @param row     the cached row
 * @param counted mask of the positions to learn from; null for all
 */
public record LearntSequence(LabelledSequence row, boolean[] counted) implements Serializable {
    static int count(boolean[] counted) {
        int count = 0;
        for (boolean each : counted) {
            count += each ? 1 : 0;
        }
        return count;
    }

    public TrainingSequence with(SoftTargets targets) {
        return new TrainingSequence(row.tokens(), targets, counted);
    }
}
