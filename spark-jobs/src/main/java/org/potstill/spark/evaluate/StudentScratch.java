// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.evaluate;

import java.nio.file.Path;
import org.potstill.spark.storage.TemporaryFolder;

/**
 * A temporary folder for a student's compiled weights, deleted after the task: students are many, whereas a teacher's compiled
 * weights are kept.
 */
final class StudentScratch implements AutoCloseable {
    private final EvaluatedModel student;
    private final TemporaryFolder folder;

    StudentScratch(EvaluatedModel student) {
        this.student = student;
        this.folder = new TemporaryFolder(Path.of(student.scratch()));
    }

    EvaluatedModel student() {
        return student.in(folder.path());
    }

    @Override
    public void close() {
        folder.close();
    }
}
