// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache.upkeep;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.potstill.spark.cache.LabelledSequence;

/** Iterator over rows sorted by key that keeps one row per key, chosen independently of the order of equal keys. */
final class OnePerKey implements Iterator<LabelledSequence> {
    private static final Comparator<LabelledSequence> FIRST = Comparator.comparing(LabelledSequence::document)
            .thenComparing(LabelledSequence::targets, Arrays::compareUnsigned)
            .thenComparing(LabelledSequence::teacherLoss).thenComparing(LabelledSequence::teacherEntropy);

    private final Iterator<LabelledSequence> sorted;
    private LabelledSequence next;

    OnePerKey(Iterator<LabelledSequence> sorted) {
        this.sorted = sorted;
        this.next = sorted.hasNext() ? sorted.next() : null;
    }

    @Override
    public boolean hasNext() {
        return next != null;
    }

    @Override
    public LabelledSequence next() {
        if (next == null) {
            throw new NoSuchElementException();
        }
        LabelledSequence kept = next;
        for (next = null; sorted.hasNext() && next == null;) {
            LabelledSequence row = sorted.next();
            if (row.key().equals(kept.key())) {
                kept = FIRST.compare(row, kept) < 0 ? row : kept;
            } else {
                next = row;
            }
        }
        return kept;
    }
}
