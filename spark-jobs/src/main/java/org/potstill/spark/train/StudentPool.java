package org.potstill.spark.train;

import java.util.ArrayDeque;
import java.util.Deque;
import org.potstill.student.Student;

/** The students of this executor, one for each task that trains at once; a round takes one and gives it back. */
final class StudentPool {
    private static final Deque<Student> IDLE = new ArrayDeque<>();
    private static WorkerSetup setup;

    private StudentPool() {
    }

    static synchronized Lease lease(WorkerSetup wanted) {
        if (!wanted.equals(setup)) {
            IDLE.forEach(Student::close);
            IDLE.clear();
            setup = wanted;
            Student.setThreads(wanted.coresPerTask());
        }
        Student idle = IDLE.poll();
        // The seed is of no consequence: a round begins by setting all parameters.
        return new Lease(wanted, idle != null ? idle : Student.create(wanted.config(), wanted.options(), 0));
    }

    private static synchronized void giveBack(Lease lease) {
        if (lease.setup().equals(setup)) {
            IDLE.push(lease.student());
        } else {
            lease.student().close();
        }
    }

    record Lease(WorkerSetup setup, Student student) implements AutoCloseable {
        @Override
        public void close() {
            giveBack(this);
        }
    }
}
