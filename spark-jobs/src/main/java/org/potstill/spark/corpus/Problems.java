// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.Comparator;
import java.util.HashMap;
import java.util.stream.Collectors;
import org.apache.spark.util.AccumulatorV2;

/** The number of unusable documents by reason, with an example of each. A task that is retried counts twice. */
public final class Problems extends AccumulatorV2<Document, String> {
    private static final long serialVersionUID = 1;
    private static final int MOST = 100;
    private static final int TOLD = 3;
    private static final int LETTERS = 300;

    private final HashMap<String, Count> kinds = new HashMap<>();

    private record Count(long count, String id, String problem) implements java.io.Serializable {
        /** Adds counts; the example with the smaller id stays, so that it does not depend on the order of tasks. */
        Count plus(Count other) {
            Count first = id.compareTo(other.id) <= 0 ? this : other;
            return new Count(count + other.count, first.id, first.problem);
        }
    }

    @Override
    public void add(Document document) {
        if (document.problem() != null) {
            add(document.id(), document.problem());
        }
    }

    /** Counts a problem of anything that has an id. */
    public void add(String id, String problem) {
        merge(kind(problem), new Count(1, id, problem));
    }

    /** Strips a problem of what differs from document to document. */
    private static String kind(String problem) {
        return problem.replaceAll("0x[0-9A-F]+|[0-9]+", "#").replaceAll("'[^']*'", "'…'");
    }

    private void merge(String kind, Count count) {
        if (kinds.size() < MOST || kinds.containsKey(kind)) {
            kinds.merge(kind, count, Count::plus);
        }
    }

    @Override
    public boolean isZero() {
        return kinds.isEmpty();
    }

    @Override
    public AccumulatorV2<Document, String> copy() {
        Problems copy = new Problems();
        copy.kinds.putAll(kinds);
        return copy;
    }

    @Override
    public void reset() {
        kinds.clear();
    }

    @Override
    public void merge(AccumulatorV2<Document, String> other) {
        ((Problems) other).kinds.forEach(this::merge);
    }

    /** Describes the most common reasons; empty if there are none. */
    @Override
    public String value() {
        return kinds.values().stream().sorted(Comparator.comparingLong(Count::count).reversed().thenComparing(Count::id)).limit(TOLD)
                .map(kind -> kind.count + " × " + shorten(kind.problem) + " (" + (kind.count == 1 ? "" : "such as ") + kind.id + ")")
                .collect(Collectors.joining("; ")) + (kinds.size() > TOLD ? "; and other reasons" : "");
    }

    private static String shorten(String problem) {
        return problem.length() <= LETTERS ? problem : problem.substring(0, LETTERS) + "…";
    }
}
