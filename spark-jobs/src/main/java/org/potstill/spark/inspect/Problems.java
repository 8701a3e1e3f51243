// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.inspect;

import java.io.Serializable;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * Aggregate of any number of problems in bounded memory.
 *
 * @param counts   number of problems by kind
 * @param examples the first problems of each kind, ordered by file and key
 */
record Problems(Map<Problem.Kind, Long> counts, List<Problem> examples) implements Serializable {
    static final int EXAMPLES_OF_A_KIND = 5;
    static final Problems NONE = new Problems(Map.of(), List.of());

    static Problems of(Problem problem) {
        return new Problems(Map.of(problem.kind(), 1L), List.of(problem));
    }

    Problems plus(Problems other) {
        if (other.counts.isEmpty()) {
            return this;
        }
        Map<Problem.Kind, Long> sum = new TreeMap<>(counts);
        other.counts.forEach((kind, count) -> sum.merge(kind, count, Long::sum));
        Map<Problem.Kind, Integer> taken = new TreeMap<>();
        return new Problems(sum, Stream.concat(examples.stream(), other.examples.stream()).sorted()
                .filter(problem -> taken.merge(problem.kind(), 1, Integer::sum) <= EXAMPLES_OF_A_KIND).toList());
    }

    long count() {
        return counts.values().stream().mapToLong(Long::longValue).sum();
    }
}
