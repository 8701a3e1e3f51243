// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.train.averaging;

import java.io.File;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.UUID;
import org.apache.commons.io.FileUtils;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;
import org.potstill.checkpoints.io.Sha256;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.ModelFlops;
import org.potstill.softlabels.TargetSpec;
import org.potstill.spark.Cluster;
import org.potstill.spark.cache.LabelledSequence;
import org.potstill.spark.cache.Labels;
import org.potstill.spark.hardware.Arithmetic;
import org.potstill.spark.hardware.Meter;
import org.potstill.spark.train.TrainingLoop;
import org.potstill.spark.train.data.EpochFiles;
import org.potstill.spark.train.data.LearntSequence;
import org.potstill.spark.train.data.TrainingPlan;
import org.potstill.spark.train.state.Averaging;
import org.potstill.spark.train.state.OuterOptimizer;
import org.potstill.spark.train.state.Payload;
import org.potstill.spark.train.state.StateCopy;
import org.potstill.spark.train.state.WorkerSetup;
import org.potstill.student.Student;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingEngine;
import org.potstill.student.options.TrainingOptions;
import scala.Tuple2;

/**
 * Seconds of an averaging round on a local cluster, beyond the local steps, and the bytes that an executor receives in one: workers, each
 * on an executor of its own, take one step each on one short sequence, and what such a step takes alone is subtracted. Not a test:
 * bench/averaging_round.py runs its main with arguments {@code rounds workers payload}, and SPARK_HOME set. Payloads that are too coarse for
 * moments are those of {@link Averaging#PARAMETERS}. The student has 10 million parameters, with Adam.
 */
final class AveragingBenchmark {
    private static final int TOKENS = 9;
    private static final CausalLmConfig CONFIG = new CausalLmConfig(27_600, 256, 704, 4, 4, 2, 64, 256, 1e-5f, 10_000f, true);
    private static final TrainingOptions OPTIONS =
            new TrainingOptions(Objective.of(0.5), 1e-3, 0, 1000, 1e-3, 0.1, 0.9, 0.95, 1e-8, 1, TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.FP32);
    private static final Labels LABELS = new Labels(Sha256.of("teacher"), Sha256.of("tokenizer"), CONFIG.vocabSize(), TargetSpec.topK(2));

    private AveragingBenchmark() {
    }

    public static void main(String[] arguments) throws IOException {
        int rounds = Integer.parseInt(arguments[0]);
        int workers = Integer.parseInt(arguments[1]);
        Payload payload = Payload.valueOf(arguments[2].toUpperCase(Locale.ROOT));
        Averaging averaging = payload.isForMoments() ? Averaging.EVERYTHING : Averaging.PARAMETERS;
        List<Tuple2<Long, LearntSequence>> sequences = new ArrayList<>();
        for (long i = 0; i < (long) rounds * workers; i++) {
            sequences.add(new Tuple2<>(i, new LearntSequence(RandomSequences.of(LABELS, TOKENS, new Random(i)), null)));
        }
        Student.setThreads(1);
        double step;
        StateCopy state;
        Path copies = Path.of(System.getProperty("java.io.tmpdir"));
        try (Student student = Student.create(CONFIG, OPTIONS, 1)) {
            step = step(student, sequences);
            state = StateCopy.of(student, new OuterOptimizer(0, 1), copies);
        }
        SparkConf conf = new SparkConf().setMaster("local-cluster[" + workers + ",1,2048]").setAppName("averaging")
                .set("spark.ui.enabled", "false").set("spark.executor.memory", "2g")
                .set("spark.executor.extraClassPath", System.getProperty("java.class.path"));
        try (JavaSparkContext sc = new JavaSparkContext(conf)) {
            TrainingPlan plan = new TrainingPlan(sequences.size(), 1, workers, 1, 1);
            EpochFiles files = EpochFiles.of(copies.resolve("averaging-" + UUID.randomUUID()).toString(), plan, sequences.size(), Cluster.hadoop(sc));
            files.write(sc.parallelizePairs(sequences, workers), "order", sequences.size());
            WorkerSetup setup = new WorkerSetup(CONFIG, OPTIONS, TrainingEngine.DL4J, List.of(LABELS), "none", 1, averaging, 0, payload,
                    new OuterOptimizer(0, 1), new Meter(ModelFlops.of(CONFIG), Arithmetic.FP32, 1, 1, 0), Double.MAX_VALUE);
            DistributedState distributed = DistributedState.of(sc, state, workers);
            int copyRounds = TrainingLoop.copyRounds(averaging, workers);
            for (int i = 0; i < rounds; i++) {
                boolean whole = (i + 1) % copyRounds == 0;
                long start = System.nanoTime();
                AveragingRound.Outcome outcome = new AveragingRound(sc, setup, plan, distributed, files, 0, i,
                        whole || averaging == Averaging.EVERYTHING).run();
                distributed = outcome.state();
                if (whole) {
                    StateCopy collected = state.blank();
                    distributed.collect(collected);
                    state.delete();
                    state = collected;
                }
                System.out.printf(Locale.ROOT, "%.4f %.4f%n", (System.nanoTime() - start) / 1e9 - step,
                        (double) outcome.use().received() / outcome.use().executors() / state.parameters());
            }
            distributed.end();
            FileUtils.deleteDirectory(new File(files.path()));
        }
        System.out.printf(Locale.ROOT, "parameters %d step %.4f%n", state.parameters(), step);
        state.delete();
    }

    /** Median seconds of one, the tenth to the last: warm. */
    private static double step(Student student, List<Tuple2<Long, LearntSequence>> sequences) {
        double[] seconds = new double[20];
        for (int i = 0; i < seconds.length; i++) {
            LabelledSequence row = sequences.get(i % sequences.size())._2().row();
            long start = System.nanoTime();
            student.step(List.of(new TrainingSequence(row.tokens(), LABELS.decode(row, "none"))), i);
            seconds[i] = (System.nanoTime() - start) / 1e9;
        }
        double[] warm = Arrays.copyOfRange(seconds, 10, seconds.length);
        Arrays.sort(warm);
        return warm[warm.length / 2];
    }
}
