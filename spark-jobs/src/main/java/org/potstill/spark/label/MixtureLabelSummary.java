// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.label;

import java.util.SortedMap;

/**
 * Summary of the passes of several teachers that share a corpus.
 *
 * @param teachers     each teacher's pass over its own documents, by its name
 * @param scoredTokens positions that they scored in this run
 */
public record MixtureLabelSummary(SortedMap<String, LabelSummary> teachers, long scoredTokens) {
    static MixtureLabelSummary of(SortedMap<String, LabelSummary> teachers) {
        return new MixtureLabelSummary(teachers, teachers.values().stream().mapToLong(LabelSummary::scoredTokens).sum());
    }
}
