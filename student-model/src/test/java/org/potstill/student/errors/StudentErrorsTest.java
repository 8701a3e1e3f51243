// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.errors;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.errors.UserException;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.Fixtures;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.options.TrainingOptions.Optimizer;

class StudentErrorsTest {
    private static final SoftTargets ONE = new SoftTargets(new int[] {0, 1}, new int[] {36}, new float[] {1});

    @Test
    void aTokenOutsideTheVocabularyIsNamedBeforeAnythingIsLearnt() {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            float[] before = student.parameters();
            UserException token = assertThrows(UserException.class,
                    () -> student.step(List.of(new TrainingSequence(new int[] {3, 37}, ONE)), 0));
            assertEquals("a student whose vocabulary does not fit the cache", token.problem());
            assertTrue(token.cause().contains("token 37"), token.cause());
            assertThrows(UserException.class, () -> student.logits(new int[] {3, 37}));
            assertArrayEquals(before, student.parameters());
        }
    }

    @Test
    void aLossThatIsNoNumberNamesTheStepAndLeavesTheParameters() {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            float[] parameters = student.parameters();
            parameters[parameters.length - 1] = Float.NaN;
            student.setParameters(parameters);
            float[] state = student.updaterState();
            UserException e = assertThrows(UserException.class,
                    () -> student.step(Fixtures.batch(1, 37, 4, 6), 41));
            assertTrue(e.problem().contains("step 41"), e.problem());
            assertArrayEquals(parameters, student.parameters());
            assertArrayEquals(state, student.updaterState());
        }
    }

    @Test
    void aSequenceBeyondTheLastPositionIsRefused() {
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            assertEquals(64, student.loss(Fixtures.batch(1, 37, 4, 65)).positions());
            assertThrows(UserException.class, () -> student.loss(Fixtures.batch(1, 37, 4, 66)));
            assertThrows(UserException.class, () -> student.logits(new int[65]));
        }
    }

    @Test
    void whatCannotBeAStudentIsRefused() {
        assertThrows(UserException.class, () -> Student.create(
                new CausalLmConfig(1 << 20, 1 << 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true), Fixtures.adamW(), 1));
        assertThrows(UserException.class, () -> Fixtures.options(1.5, 1e-3, Optimizer.SGD));
        assertThrows(UserException.class, () -> Fixtures.options(1, Double.NaN, Optimizer.SGD));
        try (Student student = Student.create(Fixtures.TINY, Fixtures.adamW(), 1)) {
            assertThrows(UserException.class, () -> student.setParameters(new float[3]));
            assertThrows(UserException.class, () -> student.setUpdaterState(new float[3]));
        }
    }
}
