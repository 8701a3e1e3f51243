package org.potstill.spark.cache;

import java.io.Serializable;

/**
 * One row of the cache.
 *
 * @param key         content key, see {@link org.potstill.softlabels.SequenceKey}
 * @param tokens      token ids
 * @param targets     encoded soft targets, see {@link org.potstill.softlabels.SoftTargetsCodec}
 * @param teacherLoss mean −log p, in nats, of the tokens that really came next
 */
public record LabelledSequence(String key, int[] tokens, byte[] targets, float teacherLoss) implements Serializable {
    public int positions() {
        return tokens.length - 1;
    }
}
