// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.write;

import java.io.Serializable;
import java.util.Map;
import java.util.TreeMap;

/**
 * Result of one task, or the sum of several.
 *
 * @param answers    answers written
 * @param newTokens  their tokens
 * @param bytes      bytes of the written files
 * @param files      files written
 * @param unwritten  reasons, by key of the prompt, of the answers that could not be written
 */
record ShardResult(long answers, long newTokens, long bytes, int files, Map<String, String> unwritten) implements Serializable {
    static final ShardResult NONE = new ShardResult(0, 0, 0, 0, Map.of());

    ShardResult plus(ShardResult other) {
        Map<String, String> all = new TreeMap<>(unwritten);
        all.putAll(other.unwritten);
        return new ShardResult(answers + other.answers, newTokens + other.newTokens, bytes + other.bytes, files + other.files, all);
    }
}
