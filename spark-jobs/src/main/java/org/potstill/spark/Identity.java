package org.potstill.spark;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/** What a folder must agree with to go on from it, or to stand for a run: settings and fingerprints by name. */
public final class Identity {
    private Identity() {
    }

    /** The first key in which two identities differ. */
    public static Optional<String> firstDifference(JsonNode now, JsonNode then) {
        Set<String> keys = new LinkedHashSet<>();
        now.fieldNames().forEachRemaining(keys::add);
        then.fieldNames().forEachRemaining(keys::add);
        return keys.stream().filter(key -> !now.path(key).equals(then.path(key))).findFirst();
    }
}
