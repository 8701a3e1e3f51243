package org.potstill.student;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class StudentTest {
    @Test
    void overfitsATinyBatch() {
        List<TrainingSequence> batch = Fixtures.batch(1, Fixtures.TINY.vocabSize(), 4, 12, 9);
        try (Student student = Student.create(Fixtures.TINY,
                Fixtures.options(0, 1e-2, TrainingOptions.Optimizer.ADAMW), 1)) {
            double first = student.step(batch, 0).total();
            double last = first;
            for (int step = 1; step < 200; step++) {
                last = student.step(batch, step).total();
            }
            assertTrue(first > 3 && last < 0.05, first + " to " + last);
        }
    }

    @Test
    void sameSeedSameBytes() {
        try (Student a = Student.create(Fixtures.TINY, Fixtures.adamW(), 5);
                Student b = Student.create(Fixtures.TINY, Fixtures.adamW(), 5)) {
            assertArrayEquals(a.parameters(), b.parameters());
        }
    }
}
