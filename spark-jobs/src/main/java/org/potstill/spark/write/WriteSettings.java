// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.Locale;
import org.potstill.spark.settings.Settings;
import org.potstill.teacher.generation.SamplingOptions;
import org.potstill.teacher.generation.WritingLimits;

/**
 * Settings of the write job, validated before any work is done.
 *
 * @param answers        answers per prompt
 * @param maxNewTokens   tokens per answer, at most
 * @param temperature    see {@link SamplingOptions}, as for {@code topK} and {@code topP}
 * @param seed           of the draws
 * @param system         system message; empty for none
 * @param keepTruncated  whether answers that the limit cut off are published
 * @param keepEmpty      whether empty answers are published
 * @param batch          answers that an executor writes at a time, at most
 * @param cacheMib       memory of an executor for keys and values
 * @param shardAnswers   answers per committed file
 * @param maxBadShare    maximum share of documents, and of answers, in the quarantine
 */
record WriteSettings(int answers, int maxNewTokens, double temperature, int topK, double topP, long seed, String system,
        boolean keepTruncated, boolean keepEmpty, int batch, int cacheMib, int shardAnswers, double maxBadShare) implements Serializable {
    static WriteSettings of(Settings settings) {
        return new WriteSettings(settings.integer("write.answers", 1, 1 << 16), settings.integer("write.max-new-tokens", 1, 1 << 20),
                settings.real("write.temperature", 0, 100), settings.integer("write.top-k", 0, Integer.MAX_VALUE),
                settings.real("write.top-p", Settings.ABOVE_ZERO, 1), settings.writingSeed(), settings.string("write.system"),
                settings.flag("write.keep-truncated"), settings.flag("write.keep-empty"), settings.integer("write.batch", 1, 4096),
                settings.integer("write.cache-mib", 1, 1 << 20), settings.integer("write.shard-answers", 1, 1 << 24),
                settings.real("corpus.max-bad-share", 0, 1));
    }

    /** Returns whether answers that finish so are published. */
    boolean keeps(String finish) {
        return switch (finish) {
            case WrittenAnswer.LENGTH -> keepTruncated;
            case WrittenAnswer.EMPTY -> keepEmpty;
            default -> true;
        };
    }

    SamplingOptions sampling() {
        return new SamplingOptions(temperature, topK, topP, seed);
    }

    /** @param gpu whether keys and values are in a GPU's memory */
    WritingLimits limits(boolean gpu) {
        long bytes = (long) cacheMib << 20;
        // Buffers outside the heap may take as much as the heap's limit.
        return new WritingLimits(batch, gpu ? bytes : Math.min(bytes, Runtime.getRuntime().maxMemory() / 2));
    }

    /** Returns what decides an answer besides the prompt, the teacher and the answer's number. */
    String name() {
        return temperature == 0 ? "greedy-" + maxNewTokens
                : String.format(Locale.ROOT, "temperature-%s-top-k-%d-top-p-%s-seed-%d-%d", temperature, topK, topP, seed, maxNewTokens);
    }
}
