// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashSet;
import java.util.Optional;
import java.util.Set;

/** Comparison of identities: the settings and fingerprints that must match to resume from a folder or reuse its result. */
public final class Identity {
    private Identity() {
    }

    /** Returns the first key in which two identities differ. */
    public static Optional<String> firstDifference(JsonNode now, JsonNode then) {
        Set<String> keys = new LinkedHashSet<>();
        now.fieldNames().forEachRemaining(keys::add);
        then.fieldNames().forEachRemaining(keys::add);
        return keys.stream().filter(key -> !now.path(key).equals(then.path(key))).findFirst();
    }
}
