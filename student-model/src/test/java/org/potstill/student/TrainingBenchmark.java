package org.potstill.student;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.potstill.checkpoints.CausalLmConfig;

/**
 * Tokens a second of {@link Student#step}, best of several steps. Not a test: run its main with arguments
 * {@code threads students hidden layers vocabulary batch time steps}.
 */
final class TrainingBenchmark {
    private TrainingBenchmark() {
    }

    public static void main(String[] args) throws Exception {
        int threads = argument(args, 0, 2);
        int students = argument(args, 1, 1);
        int hidden = argument(args, 2, 256);
        int layers = argument(args, 3, 4);
        int vocabSize = argument(args, 4, 49152);
        int batch = argument(args, 5, 8);
        int time = argument(args, 6, 256);
        int steps = argument(args, 7, 8);
        Student.setThreads(threads);
        CausalLmConfig config = new CausalLmConfig(vocabSize, hidden, hidden * 8 / 3 / 32 * 32, layers, hidden / 32,
                Math.max(1, hidden / 64), 32, 2048, 1e-5f, 10_000f, true);
        int[] lengths = new int[batch];
        java.util.Arrays.fill(lengths, time + 1);
        ExecutorService pool = Executors.newFixedThreadPool(students);
        List<Future<Double>> runs = new ArrayList<>();
        for (int s = 0; s < students; s++) {
            long seed = s;
            Callable<Double> run = () -> {
                List<TrainingSequence> sequences = Fixtures.batch(seed, vocabSize, 32, lengths);
                try (Student student = Student.create(config, Fixtures.adamW(), seed)) {
                    double best = Double.MAX_VALUE;
                    for (int step = 0; step < steps; step++) {
                        long start = System.nanoTime();
                        student.step(sequences, step);
                        best = Math.min(best, (System.nanoTime() - start) / 1e9);
                    }
                    return (double) batch * time / best;
                }
            };
            runs.add(pool.submit(run));
        }
        double sum = 0;
        for (Future<Double> run : runs) {
            sum += run.get();
        }
        pool.shutdown();
        System.out.printf("%d threads, %d students, %d parameters each: %.0f tokens/s%n", threads, students,
                DecoderParameters.count(config), sum);
    }

    private static int argument(String[] args, int i, int fallback) {
        return args.length > i ? Integer.parseInt(args[i]) : fallback;
    }
}
