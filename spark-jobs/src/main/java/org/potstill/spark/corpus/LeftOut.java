package org.potstill.spark.corpus;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/** Files below a corpus's path that are not read, counted by the reason, with one of each by name. */
final class LeftOut {
    static final String HIDDEN = "hidden by a name, or that of a folder, which begins with _ or .";

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
