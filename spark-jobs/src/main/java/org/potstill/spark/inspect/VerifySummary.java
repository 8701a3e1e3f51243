// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.List;
import java.util.Map;

/**
 * What was checked of the labels of one teacher and target specification, and what was found.
 *
 * @param folder    of the labels
 * @param files     looked at
 * @param rows      looked at
 * @param positions in these
 * @param named     keys of the current snapshot; null where no label run has come to its end
 * @param problems  how many of each kind
 * @param examples  the first of each kind
 * @param teacher   what the live teacher said; null where it was not asked
 */
public record VerifySummary(String folder, long files, long rows, long positions, Long named, Map<Problem.Kind, Long> problems,
        List<Problem> examples, Teacher teacher) {
    /**
     * The live teacher against a sample.
     *
     * @param rows       scored again
     * @param identical  whose encoded soft targets are the same to the byte
     * @param difference the largest of the others: in nats, of draws as a share
     * @param statistics the largest difference of mean loss or entropy, in nats
     */
    public record Teacher(long rows, long identical, double difference, double statistics) {
    }

    public boolean sound() {
        return problems.isEmpty();
    }
}
