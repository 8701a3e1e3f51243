// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.potstill.spark.errors.JobErrors;

/**
 * The teachers that share a corpus, {@code teachers}: each scores the documents that its condition selects. One may have no condition; it
 * scores all others.
 */
public final class TeacherSections {
    static final String PREFIX = SettingKinds.TEACHERS + ".";
    static final String WHERE = "where";
    /** Settings that only one teacher can have. */
    private static final List<String> OF_ONE = List.of("teacher.path", "teacher.url", "teacher.model");

    private TeacherSections() {
    }

    /** Rejects sections that do not say clearly which teacher scores a document. */
    public static void check(Settings settings) {
        List<String> names = settings.teachers();
        if (names.isEmpty()) {
            return;
        }
        OF_ONE.stream().filter(key -> !settings.string(key).isBlank()).forEach(key -> settings.reject(key, "there are several teachers ("
                + String.join(", ", names) + "): remove it, or the section 'teachers'"));
        List<String> rest = names.stream().filter(name -> where(settings, name).isEmpty()).toList();
        if (rest.size() > 1) {
            settings.reject(PREFIX + rest.get(1) + "." + WHERE, "it is empty, like that of " + rest.get(0)
                    + ": only one teacher can score the documents that no condition selects");
        }
        List<String> missing = names.stream().map(name -> PREFIX + name + ".path").filter(key -> !settings.isGiven(key) || settings.string(key).isBlank())
                .toList();
        if (!missing.isEmpty()) {
            throw JobErrors.missingKeys(missing);
        }
    }

    /** Returns the conditions of the teachers that have one, by the teacher's name. */
    public static SortedMap<String, String> conditions(Settings settings) {
        SortedMap<String, String> conditions = new TreeMap<>();
        settings.teachers().forEach(name -> conditions.put(name, where(settings, name)));
        conditions.values().removeIf(String::isEmpty);
        return conditions;
    }

    private static String where(Settings settings, String name) {
        String key = PREFIX + name + "." + WHERE;
        return settings.isGiven(key) ? settings.string(key).strip() : "";
    }

    /** Returns the condition of a teacher's documents, within that of the corpus. */
    static String corpusWhere(Settings settings, String name) {
        SortedMap<String, String> conditions = conditions(settings);
        // A condition that is null does not hold.
        String own = conditions.containsKey(name) || conditions.isEmpty() ? conditions.getOrDefault(name, "")
                : conditions.values().stream().collect(Collectors.joining(") or (", "not coalesce((", "), false)"));
        String all = settings.string("corpus.where").strip();
        return all.isEmpty() ? own : own.isEmpty() ? all : "(" + all + ") and (" + own + ")";
    }
}
