// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.onnx.OnnxTeacher;

class ScoreAheadTest {
    private static final TargetSpec SPEC = TargetSpec.topK(4);

    @TempDir
    private Path folder;

    /** A real teacher that tells when it is asked for a batch, by the number that is the batch's first token. */
    private record Announcing(Teacher teacher, List<CountDownLatch> asked) implements Teacher {
        @Override
        public int vocabSize() {
            return teacher.vocabSize();
        }

        @Override
        public List<ScoredSequence> score(List<int[]> sequences, TargetSpec spec) {
            asked.get(sequences.get(0)[0]).countDown();
            return teacher.score(sequences, spec);
        }

        @Override
        public float[] logits(int[] ids) {
            return teacher.logits(ids);
        }

        @Override
        public TeacherOptions.Device device() {
            return teacher.device();
        }

        @Override
        public Work takeWork() {
            return teacher.takeWork();
        }

        @Override
        public void close() {
            teacher.close();
        }
    }

    private OnnxTeacher teacher() {
        Path file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 1);
        return OnnxTeacher.open(file, new TeacherOptions(TeacherOptions.Device.CPU, 1, folder.resolve("scratch")));
    }

    private static List<List<int[]>> batches(int count) {
        List<List<int[]>> batches = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int[] tokens = new Random(i).ints(20, 0, 300).toArray();
            tokens[0] = i;
            batches.add(List.of(tokens, new int[] {5, 6, 7}));
        }
        return batches;
    }

    @Test
    void theNextTwoBatchesAreWithTheTeacherBeforeTheLastIsUsed() {
        List<List<int[]>> batches = batches(5);
        List<CountDownLatch> asked = batches.stream().map(b -> new CountDownLatch(1)).toList();
        List<Integer> used = new ArrayList<>();
        try (Announcing teacher = new Announcing(teacher(), asked)) {
            ScoreAhead.forEach(teacher, SPEC, batches, (batch, scored) -> {
                try {
                    // Without scoring ahead nobody would ever ask for them.
                    for (int next = batch + 1; next < Math.min(5, batch + 3); next++) {
                        assertTrue(asked.get(next).await(20, TimeUnit.SECONDS), "batch " + next);
                    }
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
                assertEquals(19, scored.get(0).targets().positions());
                assertEquals(teacher.teacher().score(batches.get(batch), SPEC).get(0).targets().ids()[0], scored.get(0).targets().ids()[0]);
                used.add(batch);
            });
        }
        assertEquals(List.of(0, 1, 2, 3, 4), used);
    }

    @Test
    void anErrorOfTheTeacherIsTheTasksOwn() {
        List<List<int[]>> batches = batches(3);
        batches.set(1, List.of(new int[] {1, 99_999}));
        List<Integer> used = new ArrayList<>();
        try (Teacher teacher = teacher()) {
            UserException error = assertThrows(UserException.class,
                    () -> ScoreAhead.forEach(teacher, SPEC, batches, (batch, scored) -> used.add(batch)));
            assertTrue(error.problem().contains("99999"));
        }
        assertEquals(List.of(0), used);
    }

    @Test
    void anInterruptedTaskEndsAndTheTeacherServesOthers() throws Exception {
        try (Teacher teacher = teacher()) {
            AtomicReference<Throwable> thrown = new AtomicReference<>();
            Thread task = new Thread(() -> ScoreAhead.forEach(teacher, SPEC, batches(200), (batch, scored) -> {
                if (batch == 3) {
                    Thread.currentThread().interrupt();
                }
                assertTrue(batch < 199);
            }));
            task.setUncaughtExceptionHandler((t, e) -> thrown.set(e));
            task.start();
            task.join(30_000);
            assertInstanceOf(IllegalStateException.class, thrown.get());
            assertEquals(1, teacher.score(List.of(new int[] {1, 2}), SPEC).size());
        }
    }
}
