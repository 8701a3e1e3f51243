// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.data;

import java.io.Serializable;
import org.potstill.spark.cache.SnapshotEntry;

/**
 * A sequence's place in the corpus with its loss mask there: the same sequence can be a prompt in one document and a response in
 * another.
 *
 * @param place    the place in the corpus
 * @param counted  mask of the positions to learn from; null for all
 * @param begins   whether it is the first sequence of its document
 * @param isMarked whether its document contains a response
 * @param isOpen   whether its document ends inside a response that lacks the end marker that is searched
 */
record LearntPlace(SnapshotEntry place, boolean[] counted, boolean begins, boolean isMarked, boolean isOpen) implements Serializable {
    boolean isLearntFrom() {
        return counted == null || LearntSequence.count(counted) > 0;
    }
}
