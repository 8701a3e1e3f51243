// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.distil;

import java.util.List;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;

/** The use of the pruned model as the student's initial weights, if pruning is requested. */
public final class PrunedStart {
    private PrunedStart() {
    }

    public static boolean isAskedFor(Settings settings) {
        return !settings.string("prune.path").isBlank();
    }

    /**
     * Sets the student's initial weights to the pruned model.
     *
     * @return the settings with {@code student.init}
     */
    public static Settings apply(Settings settings) {
        if (!isAskedFor(settings)) {
            for (String key : List.of("layers", "parameters", "intermediate-size", "kv-heads", "hidden-size", "model")) {
                if (settings.isGiven("prune." + key)) {
                    throw JobErrors.missingKeys(List.of("prune.path"));
                }
            }
            return settings;
        }
        if (!settings.teachers().isEmpty() && settings.string("prune.model").isBlank()) {
            // None of the teachers is the teacher.
            throw JobErrors.missingKeys(List.of("prune.model"));
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
