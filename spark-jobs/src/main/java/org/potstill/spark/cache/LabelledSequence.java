// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * One row of the cache.
 *
 * @param document    id of the first document, in the order of ids, that contained it when it was labelled
 * @param key         content key, see {@link org.potstill.softlabels.SequenceKey}
 * @param tokens      token ids
 * @param targets     encoded soft targets, see {@link org.potstill.softlabels.SoftTargetsCodec}
 * @param teacherLoss mean −log p, in nats, of the target tokens
 * @param teacherEntropy mean entropy, in nats, of the teacher's distributions
 */
public record LabelledSequence(String document, String key, int[] tokens, byte[] targets, float teacherLoss, float teacherEntropy)
        implements Serializable {
    public int positions() {
        return tokens.length - 1;
    }
}
