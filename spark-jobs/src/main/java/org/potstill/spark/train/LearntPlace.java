package org.potstill.spark.train;

import java.io.Serializable;
import org.potstill.spark.cache.SnapshotEntry;

/**
 * A sequence's place in the corpus, and what is learnt from there: the same sequence can be a prompt in one document and a response
 * in another.
 *
 * @param place    in the corpus
 * @param counted  which of its positions are learnt from; null for all
 * @param begins   whether it is the first of its document
 * @param isMarked whether its document holds a response
 * @param isOpen   whether its document ends within a response that should have an end
 */
record LearntPlace(SnapshotEntry place, boolean[] counted, boolean begins, boolean isMarked, boolean isOpen) implements Serializable {
    boolean isLearntFrom() {
        return counted == null || LearntSequence.count(counted) > 0;
    }
}
