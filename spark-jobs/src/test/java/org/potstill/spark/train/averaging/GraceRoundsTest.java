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
import java.util.Random;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Cluster;
import org.potstill.spark.Distillery;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.hardware.Arithmetic;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.train.data.EpochFiles;
import org.potstill.spark.train.data.LearntSequence;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.StateLayout;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;
import scala.Tuple2;

/** Rounds that close without late workers beside the same computation on plain arrays, which closes the same rounds. */
class GraceRoundsTest {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);
    private static final TrainingOptions OPTIONS = new TrainingOptions(Objective.of(0.5), 1e-2, 0, 1000, 1e-3, 0.1, 0.9, 0.95, 1e-8, 1,
            TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.FP32);
    private static final Labels LABELS = new Labels(Sha256.of("teacher"), Sha256.of("tokenizer"), CONFIG.vocabSize(), TargetSpec.topK(2));
    private static final OuterOptimizer OUTER = new OuterOptimizer(0.7, 0.9);
    /** More than the session has cores: the last begins when another is done, and has the longest sequences. */
    private static final int WORKERS = 3;
    private static final int ROUNDS = 8;
    private static final int STEPS = 2;

    private final TrainingPlan plan = new TrainingPlan((long) WORKERS * (ROUNDS + 1) * STEPS, 1, WORKERS, STEPS, 1);
    /** By their index in the epoch. */
    private final List<LabelledSequence> sequences = IntStream.range(0, (int) plan.sequences())
            .mapToObj(i -> RandomSequences.of(LABELS, plan.worker(i) == WORKERS - 1 ? 50 + i % 3 : 5 + i % 4, new Random(i))).toList();

    @TempDir
    Path folder;
    private JavaSparkContext sc;
    private EpochFiles files;
    private StateCopy copy;
    private float[] initial;

    @BeforeEach
    void write() {
        Student.setThreads(1);
        sc = new JavaSparkContext(Distillery.spark().sparkContext());
        files = EpochFiles.of(folder.resolve("epoch").toString(), plan, sequences.size(), Cluster.hadoop(sc));
        List<Tuple2<Long, LearntSequence>> indexed = new ArrayList<>();
        for (int i = 0; i < sequences.size(); i++) {
            indexed.add(new Tuple2<>((long) i, new LearntSequence(sequences.get(i), null)));
        }
        files.write(sc.parallelizePairs(indexed, WORKERS), "order", sequences.size());
        try (Student student = Student.create(CONFIG, OPTIONS, 1)) {
            copy = StateCopy.of(student, OUTER, folder);
            initial = student.parameters();
        }
    }

    private static WorkerSetup setup(Payload payload) {
        return new WorkerSetup(CONFIG, OPTIONS, TrainingEngine.DL4J, List.of(LABELS), "none", 1, Averaging.PARAMETERS, 0, payload, OUTER,
                new Meter(ModelFlops.of(CONFIG), Arithmetic.FP32, 1, 1, 0), Double.MAX_VALUE);
    }

    @Test
    void aLateDifferenceCountsInTheRoundThatClosesAfterIt() throws Exception {
        List<List<Integer>> late = new ArrayList<>();
        List<StepLoss> history = new ArrayList<>();
        FloatBuffer end = train(Payload.FP32, 1e-3, late, history);
        assertTrue(late.stream().anyMatch(workers -> !workers.isEmpty()), late.toString());
        float[][] expected = naive(late);
        close(expected[0], end.slice(0, initial.length));
        close(expected[1], end.slice(initial.length, copy.updaterState()));
        // Each sequence was learnt once, in the step that is its own.
        assertEquals(ROUNDS * STEPS, history.size());
        for (int step = 0; step < history.size(); step++) {
            int first = step * WORKERS;
            assertEquals(IntStream.range(first, first + WORKERS).mapToLong(i -> sequences.get(i).positions()).sum(), history.get(step).positions());
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
        DistributedState state = DistributedState.of(sc, copy, WORKERS);
        try {
            for (int round = 0; round <= ROUNDS; round++) {
                state = new AveragingRound(sc, setup(Payload.INT4), plan, state, files, 0, round, round == ROUNDS).run().state();
            }
            assertEquals(collected(state), end);
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
        DistributedState state = DistributedState.of(sc, copy, WORKERS);
        try (GraceRounds rounds = new GraceRounds(sc, setup(payload), plan, state, files, new Stretch(0, 0, ROUNDS), grace, late)) {
            while (rounds.hasNext()) {
                AveragingRound.Outcome outcome = rounds.next();
                state = outcome.state();
                assertTrue(outcome.late().size() < WORKERS);
            }
            history.addAll(rounds.history());
            assertEquals(ROUNDS - 1, rounds.round());
            state = new AveragingRound(sc, setup(payload), plan, state, files, 0, ROUNDS, true).run().state();
            return collected(state);
        } finally {
            state.end();
        }
    }

    private FloatBuffer collected(DistributedState state) {
        StateCopy end = copy.blank();
        state.collect(end);
        return StateLayout.littleEndian(end.cut(end.layout(1), 0)).asFloatBuffer();
    }

    private static void close(float[] expected, FloatBuffer actual) {
        assertEquals(expected.length, actual.remaining());
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual.get(i), 2e-5, "at " + i);
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
        float[] average = initial;
        double[] momentum = new double[initial.length];
        List<Worker> workers = new ArrayList<>();
        float[] moments = null;
        for (int w = 0; w < WORKERS; w++) {
            Student student = Student.create(CONFIG, OPTIONS, 3 + w);
            moments = student.updaterState();
            workers.add(new Worker(student, initial));
        }
        double[] sumOfMoments = new double[moments.length];
        for (int closed = 0; closed <= late.size(); closed++) {
            boolean whole = closed == late.size();
            double[] sum = new double[initial.length];
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
                    LabelledSequence row = sequences.get(step * WORKERS + w);
                    learnt += worker.student.step(List.of(new TrainingSequence(row.tokens(), LABELS.decode(row, "none"))), step).positions();
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
            float[] next = new float[average.length];
            for (int i = 0; i < next.length; i++) {
                double difference = sum[i] / positions;
                momentum[i] = OUTER.momentum() * momentum[i] - difference;
                next[i] = (float) (average[i] - OUTER.learningRate() * (-difference + OUTER.momentum() * momentum[i]));
            }
            average = next;
            for (Worker worker : taken) {
                worker.start = next;
            }
            for (int i = 0; whole && i < moments.length; i++) {
                moments[i] = (float) (sumOfMoments[i] / positions);
            }
        }
        workers.forEach(worker -> worker.student.close());
        return new float[][] {average, moments};
    }
}
