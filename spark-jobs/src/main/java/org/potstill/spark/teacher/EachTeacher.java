// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.potstill.errors.UserException;
import org.potstill.spark.Failures;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.settings.Settings;

/** Steps of jobs that are taken for each of several teachers. */
public final class EachTeacher {
    private EachTeacher() {
    }

    /**
     * Takes a step for one teacher.
     *
     * @param name the teacher's name
     * @throws UserException that names the teacher and its settings, if the step throws one or Spark wraps it
     */
    public static <T> T of(String name, Supplier<T> step) {
        try {
            return step.get();
        } catch (Exception e) {
            Optional<UserException> told = Failures.within(e);
            // Spark throws checked exceptions that it does not declare.
            throw told.isPresent() ? JobErrors.ofTeacher(name, told.get()) : ExceptionUtils.<RuntimeException>rethrow(e);
        }
    }

    /** Takes a step for the only teacher, or for each of several in the order of their names, with the settings for that one. */
    public static <T> List<T> all(Settings settings, Function<Settings, T> step) {
        return settings.teachers().isEmpty() ? List.of(step.apply(settings))
                : settings.teachers().stream().map(name -> of(name, () -> step.apply(settings.ofTeacher(name)))).toList();
    }

    /** Takes a step that returns nothing, see {@link #of}. */
    public static void run(String name, Runnable step) {
        of(name, () -> {
            step.run();
            return null;
        });
    }
}
