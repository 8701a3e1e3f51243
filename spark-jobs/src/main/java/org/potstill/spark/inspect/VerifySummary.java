// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.util.List;
import java.util.Map;

/**
 * Result of verifying the labels of one teacher and target specification.
 *
 * @param folder    folder of the labels
 * @param files     number of files checked
 * @param rows      number of rows checked
 * @param positions number of their positions
 * @param named     keys of the current snapshot; null if no label run has finished
 * @param problems  number of problems by kind
 * @param examples  the first problems of each kind
 * @param teacher   comparison with the live teacher; null if not requested
 */
public record VerifySummary(String folder, long files, long rows, long positions, Long named, Map<Problem.Kind, Long> problems,
        List<Problem> examples, Teacher teacher) {
    /**
     * Comparison of a sample with the live teacher.
     *
     * @param rows       rows scored again
     * @param identical  rows whose encoded soft targets are identical to the byte
     * @param difference largest difference of the other rows, in nats, or as a share of the draws
     * @param statistics largest difference of mean loss or entropy, in nats
     */
    public record Teacher(long rows, long identical, double difference, double statistics) {
    }

    public boolean sound() {
        return problems.isEmpty();
    }
}
