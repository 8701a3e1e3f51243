// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.IntUnaryOperator;
import java.util.stream.IntStream;
import org.apache.spark.api.java.JavaSparkContext;
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

/** An epoch of random sequences, in files, and a tiny student at its beginning: for rounds and for the same computation on plain arrays. */
final class TinyTraining {
    private static final CausalLmConfig CONFIG = new CausalLmConfig(37, 12, 20, 2, 4, 2, 6, 64, 1e-5f, 10_000f, true);
    private static final Labels LABELS = new Labels(Sha256.of("teacher"), Sha256.of("tokenizer"), CONFIG.vocabSize(), TargetSpec.topK(2));

    final JavaSparkContext sc = new JavaSparkContext(Distillery.spark().sparkContext());
    final TrainingPlan plan;
    final EpochFiles files;
    final StateCopy copy;
    final float[] initial;
    /** By their index in the epoch. */
    final List<LabelledSequence> sequences;
    private final TrainingOptions options;
    private final OuterOptimizer outer;

    /**
     * @param floor  of the learning rate, which begins at 0.01
     * @param length of a sequence, by its index
     */
    TinyTraining(Path folder, TrainingPlan plan, double floor, OuterOptimizer outer, IntUnaryOperator length) {
        Student.setThreads(1);
        this.plan = plan;
        this.outer = outer;
        this.options = new TrainingOptions(Objective.of(0.5), 1e-2, 0, 1000, floor, 0.1, 0.9, 0.95, 1e-8, 1, TrainingOptions.Optimizer.ADAMW, false,
                MatrixPrecision.FP32);
        this.sequences = IntStream.range(0, (int) plan.sequences()).mapToObj(i -> RandomSequences.of(LABELS, length.applyAsInt(i), new Random(i))).toList();
        this.files = EpochFiles.of(folder.resolve("epoch").toString(), plan, sequences.size(), Cluster.hadoop(sc));
        List<Tuple2<Long, LearntSequence>> indexed = new ArrayList<>();
        for (int i = 0; i < sequences.size(); i++) {
            indexed.add(new Tuple2<>((long) i, new LearntSequence(sequences.get(i), null)));
        }
        files.write(sc.parallelizePairs(indexed, plan.workers()), "order", sequences.size());
        try (Student student = student(1)) {
            this.copy = StateCopy.of(student, outer, folder);
            this.initial = student.parameters();
        }
    }

    Student student(long seed) {
        return Student.create(CONFIG, options, seed);
    }

    WorkerSetup setup(int overlap, Payload payload) {
        return setup(overlap, payload, Double.MAX_VALUE);
    }

    WorkerSetup setup(int overlap, Payload payload, double maxLoss) {
        return new WorkerSetup(CONFIG, options, TrainingEngine.DL4J, List.of(LABELS), "none", 1, Averaging.PARAMETERS, overlap, payload, outer,
                new Meter(ModelFlops.of(CONFIG), Arithmetic.FP32, 1, 1, 0), maxLoss);
    }

    /** Has a student take a step of a worker. */
    StepLoss step(Student student, int step, int worker) {
        LabelledSequence row = sequences.get(step * plan.workers() + worker);
        return student.step(List.of(new TrainingSequence(row.tokens(), LABELS.decode(row, "none"))), step);
    }

    /**
     * Takes the outer optimizer's step on plain arrays.
     *
     * @param momentum is updated
     */
    float[] outerStep(float[] begin, double[] difference, double[] momentum) {
        float[] end = new float[begin.length];
        for (int i = 0; i < end.length; i++) {
            momentum[i] = outer.momentum() * momentum[i] - difference[i];
            end[i] = (float) (begin[i] - outer.learningRate() * (-difference[i] + outer.momentum() * momentum[i]));
        }
        return end;
    }

    FloatBuffer collected(DistributedState state) {
        StateCopy end = copy.blank();
        state.collect(end);
        return StateLayout.littleEndian(end.cut(end.layout(1), 0)).asFloatBuffer();
    }

    /** @param expected parameters and moments */
    void assertClose(float[][] expected, FloatBuffer state) {
        assertClose(expected[0], state.slice(0, initial.length));
        assertClose(expected[1], state.slice(initial.length, copy.updaterState()));
    }

    private static void assertClose(float[] expected, FloatBuffer actual) {
        assertEquals(expected.length, actual.remaining());
        for (int i = 0; i < expected.length; i++) {
            assertEquals(expected[i], actual.get(i), 2e-5, "at " + i);
        }
    }
}
