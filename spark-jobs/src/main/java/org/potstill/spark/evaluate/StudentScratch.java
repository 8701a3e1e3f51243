package org.potstill.spark.evaluate;

import java.nio.file.Path;
import org.potstill.spark.TemporaryFolder;

/**
 * A folder for a student's compiled weights that goes with the task: students come and go, and what is compiled of a teacher is
 * kept for ever.
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
