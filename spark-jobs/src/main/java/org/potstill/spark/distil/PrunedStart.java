// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.distil;

import java.util.List;
import org.apache.hadoop.fs.Path;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;

/** The use of the pruned model as the student's initial weights, if pruning is requested. */
public final class PrunedStart {
    private static final List<String> FOLDERS = List.of("teacher.path", "prune.path", "student.path", "export.path", "cache.path");

    private PrunedStart() {
    }

    private static boolean same(String one, String other) {
        return !other.isBlank() && FileSystems.canonical(new Path(one)).equals(FileSystems.canonical(new Path(other)));
    }

    public static boolean isAskedFor(Settings settings) {
        return !settings.string("prune.path").isBlank();
    }

    /**
     * Refuses folders that would overwrite each other.
     *
     * @return the settings with {@code student.init}
     */
    public static Settings apply(Settings settings) {
        for (int i = 0; i < FOLDERS.size(); i++) {
            for (int j = 0; j < i; j++) {
                String one = settings.string(FOLDERS.get(i));
                if (!one.isBlank() && same(one, settings.string(FOLDERS.get(j)))) {
                    throw JobErrors.samePath(FOLDERS.get(j), FOLDERS.get(i), one);
                }
            }
        }
        if (!isAskedFor(settings)) {
            for (String key : List.of("layers", "parameters", "intermediate-size", "kv-heads", "hidden-size", "model")) {
                if (settings.isGiven("prune." + key)) {
                    throw JobErrors.missingKeys(List.of("prune.path"));
                }
            }
            return settings;
        }
        String init = settings.string("student.init");
        if (init.isBlank()) {
            return settings.with("student.init", settings.string("prune.path"));
        }
        if (!init.equals(settings.string("prune.path"))) {
            throw JobErrors.badValue("student.init", "it names another model than prune.path, which also initialises the student: unset "
                            + "one of them");
        }
        return settings;
    }
}
