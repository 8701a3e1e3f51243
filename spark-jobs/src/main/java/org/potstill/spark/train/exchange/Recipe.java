// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.exchange;

import java.io.Serializable;
import java.util.List;
import java.util.Set;
import java.util.UUID;

/**
 * What the owners of slices make a state of. Executors name it to them, and tell it only to those that do not know it: with a thousand
 * workers it is larger than a slice.
 *
 * @param id     unique
 * @param whole  whether the state has moments; otherwise these are the workers' own, see {@link OwnState}
 * @param made   contributions that the state is the average of, in the workers' order; empty if nothing is to be averaged
 * @param needed versions of earlier states that executors keep, as late workers may yet begin at them
 */
record Recipe(String id, boolean whole, List<StateSource.Contribution> made, Set<Long> needed) implements Serializable {
    static Recipe of(boolean whole, List<StateSource.Contribution> made, Set<Long> needed) {
        return new Recipe(UUID.randomUUID().toString(), whole, List.copyOf(made), Set.copyOf(needed));
    }
}
