// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;


import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.student.Student;

/** Overlapping rounds beside the same computation on plain arrays, with a student per worker. */
class OverlapTest {
    private static final OuterOptimizer OUTER = new OuterOptimizer(0.3, 0.9);
    private static final int WORKERS = 3;
    private static final int ROUNDS = 8;
    private static final int WHOLE_ROUND = 4;
    private static final int STEPS = 3;
    private static final int OVERLAP = 2;

    private final TrainingPlan plan = new TrainingPlan((long) WORKERS * ROUNDS * STEPS, 1, WORKERS, STEPS, 1);
    @TempDir
    Path folder;

    @Test
    void workersStepFromWhereTheyAreUntilTheAverageArrives() throws Exception {
        TinyTraining training = new TinyTraining(folder, plan, 1e-2, OUTER, i -> 5 + i % 3);
        DistributedState state = DistributedState.of(training.sc, training.copy, WORKERS);
        try {
            for (int round = 0; round < ROUNDS; round++) {
                state = new AveragingRound(training.sc, training.setup(OVERLAP, Payload.FP32), plan, state, training.files, 0, round, isWhole(round)).run().state();
            }
            training.assertClose(naive(training), training.collected(state));
        } finally {
            state.end();
        }
    }

    private static boolean isWhole(int round) {
        return round == WHOLE_ROUND || round == ROUNDS - 1;
    }

    /** Returns parameters and moments. */
    private static float[][] naive(TinyTraining training) {
        float[] average = training.initial;
        double[] momentum = new double[average.length];
        List<Student> students = IntStream.range(0, WORKERS).mapToObj(w -> training.student(3 + w)).toList();
        float[] moments = students.get(0).updaterState();
        boolean fresh = true;
        for (int round = 0; round < ROUNDS; round++) {
            double[] sum = new double[average.length];
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
                    learnt += training.step(student, round * STEPS + step, worker).positions();
                }
                add(sum, learnt, minus(student.parameters(), average));
                add(sumOfMoments, learnt, widened(student.updaterState()));
                positions += learnt;
            }
            for (int i = 0; i < sum.length; i++) {
                sum[i] /= positions;
            }
            average = training.outerStep(average, sum, momentum);
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
}
