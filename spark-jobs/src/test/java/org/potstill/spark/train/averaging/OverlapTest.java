// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
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
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;
import scala.Tuple2;

/** Overlapping rounds beside the same computation on plain arrays, with a student per worker. */
class OverlapTest {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);
    private static final TrainingOptions OPTIONS = new TrainingOptions(Objective.of(0.5), 1e-2, 0, 1000, 1e-2, 0.1, 0.9, 0.95, 1e-8, 1,
            TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.FP32);
    private static final Labels LABELS = new Labels(Sha256.of("teacher"), Sha256.of("tokenizer"), CONFIG.vocabSize(), TargetSpec.topK(2));
    private static final OuterOptimizer OUTER = new OuterOptimizer(0.3, 0.9);
    private static final int WORKERS = 3;
    private static final int ROUNDS = 8;
    private static final int WHOLE_ROUND = 4;
    private static final int STEPS = 3;
    private static final int OVERLAP = 2;

    private final TrainingPlan plan = new TrainingPlan((long) WORKERS * ROUNDS * STEPS, 1, WORKERS, STEPS, 1);
    /** By their index in the epoch. */
    private final List<LabelledSequence> sequences = IntStream.range(0, (int) plan.sequences())
            .mapToObj(i -> RandomSequences.of(LABELS, 5 + i % 3, new Random(i))).toList();

    @TempDir
    Path folder;

    @Test
    void workersStepFromWhereTheyAreUntilTheAverageArrives() throws Exception {
        Student.setThreads(1);
        JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
        EpochFiles files = EpochFiles.of(folder.resolve("epoch").toString(), plan, sequences.size(), Cluster.hadoop(sc));
        List<Tuple2<Long, LearntSequence>> indexed = new ArrayList<>();
        for (int i = 0; i < sequences.size(); i++) {
            indexed.add(new Tuple2<>((long) i, new LearntSequence(sequences.get(i), null)));
        }
        files.write(sc.parallelizePairs(indexed, WORKERS), "order", sequences.size());
        WorkerSetup setup = new WorkerSetup(CONFIG, OPTIONS, TrainingEngine.DL4J, List.of(LABELS), "none", 1, Averaging.PARAMETERS, OVERLAP, Payload.FP32, OUTER,
                new Meter(ModelFlops.of(CONFIG), Arithmetic.FP32, 1, 1, 0), Double.MAX_VALUE);
        StateCopy copy;
        float[] initial;
        try (Student student = Student.create(CONFIG, OPTIONS, 1)) {
            copy = StateCopy.of(student, OUTER, folder);
            initial = student.parameters();
        }
        DistributedState state = DistributedState.of(sc, copy, WORKERS);
        try {
            for (int round = 0; round < ROUNDS; round++) {
                state = new AveragingRound(sc, setup, plan, state, files, 0, round, isWhole(round)).run().state();
            }
            StateCopy end = copy.blank();
            state.collect(end);
            float[][] expected = naive(initial);
            FloatBuffer all = StateLayout.littleEndian(end.cut(end.layout(1), 0)).asFloatBuffer();
            close(expected[0], all.slice(0, end.parameters()));
            close(expected[1], all.slice(end.parameters(), end.updaterState()));
        } finally {
            state.end();
        }
    }

    private static void close(float[] expected, FloatBuffer actual) {
        assertEquals(expected.length, actual.remaining());
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual.get(i), 2e-5, "at " + i);
        }
    }

    private static boolean isWhole(int round) {
        return round == WHOLE_ROUND || round == ROUNDS - 1;
    }

    /** Returns parameters and moments. */
    private float[][] naive(float[] initial) {
        float[] average = initial;
        double[] momentum = new double[initial.length];
        List<Student> students = IntStream.range(0, WORKERS).mapToObj(w -> Student.create(CONFIG, OPTIONS, 3 + w)).toList();
        float[] moments = students.get(0).updaterState();
        boolean fresh = true;
        for (int round = 0; round < ROUNDS; round++) {
            double[] sum = new double[initial.length];
            double[] sumOfMoments = new double[moments.length];
            long positions = 0;
            for (int worker = 0; worker < WORKERS; worker++) {
                Student student = students.get(worker);
                if (fresh) {
                    student.setParameters(average);
                    student.setUpdaterState(moments);
                }
                float[] before = student.parameters();
                long learnt = 0;
                for (int step = 0; step < STEPS; step++) {
                    if (step == OVERLAP) {
                        student.setParameters(plus(average, 1, minus(student.parameters(), before)));
                    }
                    LabelledSequence row = sequences.get((round * STEPS + step) * WORKERS + worker);
                    learnt += student.step(List.of(new TrainingSequence(row.tokens(), LABELS.decode(row, "none"))), round * STEPS + step).positions();
                }
                add(sum, learnt, minus(student.parameters(), average));
                add(sumOfMoments, learnt, widened(student.updaterState()));
                positions += learnt;
            }
            for (int i = 0; i < sum.length; i++) {
                sum[i] /= positions;
            }
            average = outer(average, sum, momentum);
            fresh = isWhole(round);
            if (fresh) {
                moments = plus(new float[moments.length], 1.0 / positions, sumOfMoments);
            }
        }
        students.forEach(Student::close);
        return new float[][] {average, moments};
    }

    private static double[] widened(float[] values) {
        return minus(values, new float[values.length]);
    }

    private static double[] minus(float[] a, float[] b) {
        return IntStream.range(0, a.length).mapToDouble(i -> (double) a[i] - b[i]).toArray();
    }

    private static float[] plus(float[] a, double factor, double[] b) {
        float[] sum = new float[a.length];
        for (int i = 0; i < sum.length; i++) {
            sum[i] = (float) (a[i] + factor * b[i]);
        }
        return sum;
    }

    private static void add(double[] sum, long weight, double[] values) {
        for (int i = 0; i < sum.length; i++) {
            sum[i] += weight * values[i];
        }
    }

    private static float[] outer(float[] begin, double[] difference, double[] momentum) {
        float[] end = new float[begin.length];
        for (int i = 0; i < end.length; i++) {
            momentum[i] = OUTER.momentum() * momentum[i] - difference[i];
            end[i] = (float) (begin[i] - OUTER.learningRate() * (-difference[i] + OUTER.momentum() * momentum[i]));
        }
        return end;
    }
}
