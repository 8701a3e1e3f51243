package org.potstill.spark.distil;

import org.potstill.spark.JobErrors;
import org.potstill.spark.Settings;

/** Has a student begin with the pruned model where pruning is asked for. */
public final class PrunedStart {
    private PrunedStart() {
    }

    public static boolean isAskedFor(Settings settings) {
        return !settings.string("prune.path").isBlank();
    }

    /** @return the settings with {@code student.init} */
    public static Settings apply(Settings settings) {
        if (!isAskedFor(settings)) {
            return settings;
        }
        String init = settings.string("student.init");
        if (init.isBlank()) {
            return settings.with("student.init", settings.string("prune.path"));
        }
        if (!init.equals(settings.string("prune.path"))) {
            throw JobErrors.badValue("student.init", "prune.path makes a model for the student to begin with, and this is another: unset one");
        }
        return settings;
    }
}
