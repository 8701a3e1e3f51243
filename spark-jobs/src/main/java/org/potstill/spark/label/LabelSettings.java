package org.potstill.spark.label;

import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Settings;

/**
 * What the label job is told, read before any work is done, so that a value that is not sound ends it at once.
 *
 * @param spec           what to keep of the teacher's distributions
 * @param batchTokens    padded tokens per forward pass
 * @param shardTokens    per committed file
 * @param maxBadShare    of documents, and of sequences, that may be lost to the quarantine
 * @param maxPrecisionKl in nats, from the teacher in FP32
 */
record LabelSettings(TargetSpec spec, int batchTokens, int shardTokens, double maxBadShare, double maxPrecisionKl) {
    static LabelSettings of(Settings settings) {
        return new LabelSettings(settings.targetSpec(), settings.integer("batch-tokens", 1, 1 << 24),
                settings.integer("cache.shard-tokens", 1, Integer.MAX_VALUE), settings.real("corpus.max-bad-share", 0, 1),
                settings.real("teacher.max-precision-kl", 0, 100));
    }
}
