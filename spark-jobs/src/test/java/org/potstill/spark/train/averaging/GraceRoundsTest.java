// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.student.Student;
import org.potstill.student.loss.StepLoss;

/** Rounds that close without late workers beside the same computation on plain arrays, which closes the same rounds. */
class GraceRoundsTest {
    private static final OuterOptimizer OUTER = new OuterOptimizer(0.7, 0.9);
    /** More than the session has cores: the last begins when another is done, and has the longest sequences. */
    private static final int WORKERS = 3;
    private static final int ROUNDS = 8;
    private static final int STEPS = 2;

    private final TrainingPlan plan = new TrainingPlan((long) WORKERS * (ROUNDS + 1) * STEPS, 1, WORKERS, STEPS, 1);
    @TempDir
    Path folder;
    private TinyTraining training;

    @BeforeEach
    void write() {
        training = new TinyTraining(folder, plan, 1e-3, OUTER, i -> plan.worker(i) == WORKERS - 1 ? 50 + i % 3 : 5 + i % 4);
    }

    @Test
    void aLateDifferenceCountsInTheRoundThatClosesAfterIt() throws Exception {
        List<List<Integer>> late = new ArrayList<>();
        List<StepLoss> history = new ArrayList<>();
        FloatBuffer end = train(Payload.FP32, 1e-3, late, history);
        assertTrue(late.stream().anyMatch(workers -> !workers.isEmpty()), late.toString());
        training.assertClose(naive(late), end);
        // Each sequence was learnt once, in the step that is its own.
        assertEquals(ROUNDS * STEPS, history.size());
        for (int step = 0; step < history.size(); step++) {
            int first = step * WORKERS;
            assertEquals(IntStream.range(first, first + WORKERS).mapToLong(i -> training.sequences.get(i).positions()).sum(), history.get(step).positions());
        }
    }

    @Test
    void theSameRoundsLeadToTheSameBytes() throws Exception {
        List<List<Integer>> late = new ArrayList<>();
        FloatBuffer first = train(Payload.INT8, 1e-3, late, new ArrayList<>());
        List<List<Integer>> recorded = new ArrayList<>(late);
        assertEquals(first, train(Payload.INT8, 0, recorded, new ArrayList<>()));
        assertEquals(late, recorded);
        // As far as a driver that died had come; then all are waited for.
        List<List<Integer>> begun = new ArrayList<>(late.subList(0, 2));
        train(Payload.INT8, 0, begun, new ArrayList<>());
        assertEquals(late.subList(0, 2), begun.subList(0, 2));
        assertTrue(begun.subList(2, begun.size()).stream().allMatch(List::isEmpty), begun.toString());
    }

    @Test
    void withoutLateWorkersRoundsAreAsEver() throws Exception {
        List<List<Integer>> late = new ArrayList<>();
        FloatBuffer end = train(Payload.INT4, 1e4, late, new ArrayList<>());
        assertEquals(IntStream.range(0, ROUNDS).<List<Integer>>mapToObj(i -> List.of()).toList(), late);
        DistributedState state = DistributedState.of(training.sc, training.copy, WORKERS);
        try {
            for (int round = 0; round <= ROUNDS; round++) {
                state = new AveragingRound(training.sc, training.setup(0, Payload.INT4), plan, state, training.files, 0, round, round == ROUNDS).run().state();
            }
            assertEquals(training.collected(state), end);
        } finally {
            state.end();
        }
    }

    @Test
    void noWorkerFallsFarBehind() throws Exception {
        List<List<Integer>> late = new ArrayList<>();
        train(Payload.FP32, 1e-9, late, new ArrayList<>());
        int[] done = new int[WORKERS];
        for (List<Integer> without : late) {
            IntStream.range(0, WORKERS).filter(w -> done[w] < ROUNDS && !without.contains(w)).forEach(w -> done[w]++);
            assertTrue(Arrays.stream(done).max().orElseThrow() - Arrays.stream(done).min().orElseThrow() <= GraceRounds.MAX_BEHIND, late.toString());
        }
        assertArrayEquals(new int[] {ROUNDS, ROUNDS, ROUNDS}, done);
    }

    /** Returns the whole state at the end. */
    private FloatBuffer train(Payload payload, double grace, List<List<Integer>> late, List<StepLoss> history) throws Exception {
        DistributedState state = DistributedState.of(training.sc, training.copy, WORKERS);
        try (GraceRounds rounds = new GraceRounds(training.sc, training.setup(0, payload), plan, state, training.files, new Stretch(0, 0, ROUNDS), grace, late)) {
            while (rounds.hasNext()) {
                AveragingRound.Outcome outcome = rounds.next();
                state = outcome.state();
                assertTrue(outcome.late().size() < WORKERS);
            }
            history.addAll(rounds.history());
            assertEquals(ROUNDS - 1, rounds.round());
            state = new AveragingRound(training.sc, training.setup(0, payload), plan, state, training.files, 0, ROUNDS, true).run().state();
            return training.collected(state);
        } finally {
            state.end();
        }
    }

    /** A worker of the naive computation. */
    private static final class Worker {
        private final Student student;
        private float[] start;
        private int rounds;

        Worker(Student student, float[] start) {
            this.student = student;
            this.start = start;
        }
    }

    /** Returns parameters and moments. */
    private float[][] naive(List<List<Integer>> late) {
        float[] average = training.initial;
        double[] momentum = new double[average.length];
        List<Worker> workers = new ArrayList<>();
        float[] moments = null;
        for (int w = 0; w < WORKERS; w++) {
            Student student = training.student(3 + w);
            moments = student.updaterState();
            workers.add(new Worker(student, average));
        }
        double[] sumOfMoments = new double[moments.length];
        for (int closed = 0; closed <= late.size(); closed++) {
            boolean whole = closed == late.size();
            double[] sum = new double[average.length];
            long positions = 0;
            List<Worker> taken = new ArrayList<>();
            for (int w = 0; w < WORKERS; w++) {
                Worker worker = workers.get(w);
                if (!whole && (worker.rounds == ROUNDS || late.get(closed).contains(w))) {
                    continue;
                }
                taken.add(worker);
                worker.student.setParameters(whole ? average : worker.start);
                worker.start = whole ? average : worker.start;
                long learnt = 0;
                for (int step = worker.rounds * STEPS; step < (worker.rounds + 1) * STEPS; step++) {
                    learnt += training.step(worker.student, step, w).positions();
                }
                worker.rounds++;
                float[] end = worker.student.parameters();
                for (int i = 0; i < end.length; i++) {
                    sum[i] += (double) learnt * (end[i] - worker.start[i]);
                }
                float[] reached = worker.student.updaterState();
                for (int i = 0; whole && i < reached.length; i++) {
                    sumOfMoments[i] += (double) learnt * reached[i];
                }
                positions += learnt;
            }
            for (int i = 0; i < sum.length; i++) {
                sum[i] /= positions;
            }
            average = training.outerStep(average, sum, momentum);
            for (Worker worker : taken) {
                worker.start = average;
            }
            for (int i = 0; whole && i < moments.length; i++) {
                moments[i] = (float) (sumOfMoments[i] / positions);
            }
        }
        workers.forEach(worker -> worker.student.close());
        return new float[][] {average, moments};
    }
}
