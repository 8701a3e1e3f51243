// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.corpus;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** The skipped files of a corpus, counted by reason, with an example of each. */
final class LeftOut {
    static final String HIDDEN = "hidden (the name, or that of a folder, begins with _ or .)";

    private final Map<String, Files> reasons = new LinkedHashMap<>();

    private record Files(int count, String example) {
    }

    void add(String reason, String name) {
        reasons.merge(reason, new Files(1, name), (all, one) -> new Files(all.count + 1, all.example));
    }

    boolean isEmpty() {
        return reasons.isEmpty();
    }

    @Override
    public String toString() {
        return reasons.entrySet().stream().map(entry -> entry.getValue().count + (entry.getValue().count == 1 ? " file " : " files ")
                + entry.getKey() + " (" + (entry.getValue().count == 1 ? "" : "such as ") + entry.getValue().example + ")")
                .collect(Collectors.joining("; "));
    }
}
