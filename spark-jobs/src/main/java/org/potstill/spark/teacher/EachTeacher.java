// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.teacher;

import java.util.Optional;
import java.util.function.Supplier;
import org.apache.commons.lang3.exception.ExceptionUtils;
import org.potstill.errors.UserException;
import org.potstill.spark.Failures;
import org.potstill.spark.errors.JobErrors;

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

    /** Takes a step that returns nothing, see {@link #of}. */
    public static void run(String name, Runnable step) {
        of(name, () -> {
            step.run();
            return null;
        });
    }
}
