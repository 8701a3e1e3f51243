// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.hardware.HardwareSettings;
import org.potstill.spark.settings.Settings;

/**
 * Settings of the label job, validated before any work is done.
 *
 * @param spec           which part of the teacher's distributions to keep
 * @param batchTokens    padded tokens per forward pass
 * @param shardTokens    tokens per committed file
 * @param maxBadShare    maximum share of documents, and of sequences, in the quarantine
 * @param maxPrecisionKl maximum KL divergence from the FP32 teacher, in nats
 * @param isFull         whether to read all of the corpus, also what has not changed since the last run
 * @param hardware       peak and price of the executors
 */
record LabelSettings(TargetSpec spec, int batchTokens, int shardTokens, double maxBadShare, double maxPrecisionKl, boolean isFull,
        HardwareSettings hardware) {
    static LabelSettings of(Settings settings) {
        return new LabelSettings(settings.targetSpec(), settings.integer("batch-tokens", 1, 1 << 24),
                settings.integer("cache.shard-tokens", 1, Integer.MAX_VALUE), settings.real("corpus.max-bad-share", 0, 1),
                settings.real("teacher.max-precision-kl", 0, 100), settings.flag("corpus.full"), HardwareSettings.of(settings));
    }
}
