// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.cache;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Collection;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.potstill.checkpoints.io.Sha256;

/**
 * The teachers that share a corpus. Each has a snapshot of its own documents, and all of these name the mixture, by which they are known
 * to belong together.
 *
 * @param id       identifies the snapshots of all teachers
 * @param teachers fingerprints by the names that the settings give them
 */
public record TeacherMixture(String id, SortedMap<String, String> teachers) {
    private static final String MEMBER = "mixture";

    /**
     * Makes a mixture of snapshots.
     *
     * @param teachers  fingerprints by name
     * @param snapshots ids of the teachers' snapshots, in the order of their names
     */
    public static TeacherMixture of(SortedMap<String, String> teachers, Collection<String> snapshots) {
        return new TeacherMixture(Sha256.of(teachers.entrySet().stream().map(Map.Entry::toString).collect(Collectors.joining("\n")) + "\n"
                + String.join("\n", snapshots)).substring(0, 32), new TreeMap<>(teachers));
    }

    /** Finds it in the settings of a snapshot. */
    static Optional<TeacherMixture> in(JsonNode snapshot) {
        JsonNode mixture = snapshot.path(MEMBER);
        SortedMap<String, String> teachers = new TreeMap<>();
        mixture.path("teachers").properties().forEach(teacher -> teachers.put(teacher.getKey(), teacher.getValue().asText()));
        return mixture.isObject() ? Optional.of(new TeacherMixture(mixture.path("id").asText(), teachers)) : Optional.empty();
    }

    /** Adds it to the settings of a snapshot. */
    public void addTo(ObjectNode snapshot) {
        ObjectNode mixture = snapshot.putObject(MEMBER).put("id", id);
        teachers.forEach(mixture.putObject("teachers")::put);
    }

    static void removeFrom(ObjectNode snapshot) {
        snapshot.remove(MEMBER);
    }
}
