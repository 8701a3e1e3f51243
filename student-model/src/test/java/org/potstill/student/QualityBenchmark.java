// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.BufferedInputStream;
import java.io.BufferedReader;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.IntStream;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Divergence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.Tail;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * Trains and evaluates students for {@code bench/quality.py} and {@code bench/pruning.py}. Not a test: run its main with the
 * arguments {@code THREADS PRECISION TARGETS SEQUENCES TRAINED}. {@code TARGETS} is a folder that the teacher's
 * {@code TargetsDump} wrote for the file {@code SEQUENCES}, whose first {@code TRAINED} sequences are learnt from, and the others
 * held out. Prints {@code ready}, then for each line of its input, of words separated by tabs:
 *
 * <ul>
 * <li>{@code train START OUTPUT TARGETS TAIL ALPHA RATE MIN_RATE WARM_UP SEED STEPS BATCH} trains the model of folder
 *     {@code START}; {@code TARGETS} is {@code none}, {@code logits} for whole distributions, or the name of a specification.
 *     Prints the seconds that the steps took: reading targets and sequences is not in it;
 * <li>{@code evaluate FOLDER} prints perplexity, KL, agreement, accuracy and ECE of a model over the held-out sequences, in fp32;
 * <li>{@code teacher VOCABULARY_SIZE} prints the same of the teacher, from the file of its distributions.
 * </ul>
 *
 * <p>At the input's end it prints its peak memory in KiB.
 */
final class QualityBenchmark {
    private static final int BINS = 15;

    private final MatrixPrecision precision;
    private final Path folder;
    private final List<int[]> sequences;
    private final int trained;
    /** First position of each sequence in the files of targets. */
    private final long[] firsts;

    private QualityBenchmark(MatrixPrecision precision, Path folder, List<int[]> sequences, int trained) {
        this.precision = precision;
        this.folder = folder;
        this.sequences = sequences;
        this.trained = trained;
        this.firsts = new long[sequences.size() + 1];
        for (int s = 0; s < sequences.size(); s++) {
            firsts[s + 1] = firsts[s] + positions(s);
        }
    }

    public static void main(String[] args) throws IOException {
        Student.setThreads(Integer.parseInt(args[0]));
        List<int[]> sequences = Files.readAllLines(Path.of(args[3])).stream()
                .map(line -> Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
        QualityBenchmark benchmark = new QualityBenchmark(MatrixPrecision.valueOf(args[1]), Path.of(args[2]), sequences,
                Integer.parseInt(args[4]));
        System.out.println("ready");
        try (BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] words = line.split("\t");
                switch (words[0]) {
                    case "train" -> System.out.println(benchmark.train(words));
                    case "evaluate" -> System.out.println(benchmark.evaluate(Path.of(words[1])));
                    case "teacher" -> System.out.println(benchmark.teacher(Integer.parseInt(words[1])));
                    default -> throw new IllegalArgumentException(line);
                }
            }
        }
        System.out.println(ResidentMemory.peak());
    }

    private int positions(int sequence) {
        return sequences.get(sequence).length - 1;
    }

    private double train(String[] words) throws IOException {
        double alpha = Double.parseDouble(words[5]);
        int steps = Integer.parseInt(words[10]);
        Objective objective = new Objective(alpha, alpha, Divergence.FORWARD_KL, Tail.valueOf(words[4]));
        TrainingOptions options = new TrainingOptions(objective, Double.parseDouble(words[6]),
                (int) Math.round(Double.parseDouble(words[8]) * steps), steps, Double.parseDouble(words[7]), 0.1, 0.9, 0.95, 1e-8, 1,
                TrainingOptions.Optimizer.ADAMW, false, precision);
        int[] order = order(Long.parseLong(words[9]), steps * Integer.parseInt(words[11]));
        double seconds = 0;
        try (Student student = Student.load(Path.of(words[1]), options);
                Targets targets = targets(words[3], student.config())) {
            for (int step = 0; step < steps; step++) {
                List<TrainingSequence> batch = new ArrayList<>();
                for (int i = order.length / steps * step; i < order.length / steps * (step + 1); i++) {
                    batch.add(new TrainingSequence(sequences.get(order[i]), targets.of(order[i])));
                }
                long begin = System.nanoTime();
                student.step(batch, step);
                seconds += (System.nanoTime() - begin) / 1e9;
            }
            student.save(Path.of(words[2]));
        }
        return seconds;
    }

    /** The first so many sequences of epochs that are shuffled one by one; the same for every objective. */
    private int[] order(long seed, int count) {
        Random random = new Random(seed);
        List<Integer> epoch = new ArrayList<>();
        IntStream.range(0, trained).forEach(epoch::add);
        int[] order = new int[count];
        for (int i = 0; i < count; i++) {
            if (i % trained == 0) {
                Collections.shuffle(epoch, random);
            }
            order[i] = epoch.get(i % trained);
        }
        return order;
    }

    /** Where a training run has its soft targets from. */
    private interface Targets extends AutoCloseable {
        SoftTargets of(int sequence) throws IOException;

        @Override
        default void close() throws IOException {
        }
    }

    private Targets targets(String name, CausalLmConfig config) throws IOException {
        switch (name) {
            case "none":
                return sequence -> new SoftTargets(new int[positions(sequence) + 1], new int[0], new float[0]);
            case "logits":
                WholeDistributions whole = new WholeDistributions(folder.resolve(name), config.vocabSize());
                return new Targets() {
                    @Override
                    public SoftTargets of(int sequence) throws IOException {
                        return whole.targets(firsts[sequence], positions(sequence));
                    }

                    @Override
                    public void close() throws IOException {
                        whole.close();
                    }
                };
            default:
                return read(TargetSpec.parse(name))::get;
        }
    }

    private List<SoftTargets> read(TargetSpec spec) throws IOException {
        List<SoftTargets> all = new ArrayList<>();
        int most = spec.k() + spec.draws();
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(folder.resolve(spec.name()))))) {
            for (int s = 0; s < trained; s++) {
                int[] offsets = new int[positions(s) + 1];
                int[] ids = new int[positions(s) * most];
                float[] probabilities = new float[ids.length];
                for (int t = 0; t < positions(s); t++) {
                    offsets[t + 1] = offsets[t] + in.readInt();
                    for (int i = offsets[t]; i < offsets[t + 1]; i++) {
                        ids[i] = in.readInt();
                    }
                    for (int i = offsets[t]; i < offsets[t + 1]; i++) {
                        probabilities[i] = in.readFloat();
                    }
                }
                int kept = offsets[positions(s)];
                all.add(new SoftTargets(offsets, Arrays.copyOf(ids, kept), Arrays.copyOf(probabilities, kept)));
            }
        } catch (EOFException e) {
            throw new IOException(folder.resolve(spec.name()) + " holds fewer positions than the sequences", e);
        }
        return all;
    }

    private String teacher(int vocabSize) throws IOException {
        Scores sums = new Scores();
        try (WholeDistributions whole = new WholeDistributions(folder.resolve("logits"), vocabSize)) {
            for (int s = trained; s < sequences.size(); s++) {
                WholeDistributions.Rows rows = whole.read(firsts[s], positions(s));
                sums.add(sequences.get(s), rows.logits(), rows);
            }
        }
        return sums.toJson();
    }

    private String evaluate(Path model) throws IOException {
        Scores sums = new Scores();
        try (Student student = Student.load(model, TrainingOptions.NONE);
                WholeDistributions whole = new WholeDistributions(folder.resolve("logits"), student.config().vocabSize())) {
            for (int s = trained; s < sequences.size(); s++) {
                int[] tokens = sequences.get(s);
                float[] logits = student.logits(Arrays.copyOf(tokens, positions(s)));
                sums.add(tokens, logits, whole.read(firsts[s], positions(s)));
            }
        }
        return sums.toJson();
    }

    /** Sums over positions of a model compared with the text and with the teacher's whole distributions. */
    static final class Scores {
        private long positions;
        private double loss;
        private double kl;
        private long agreed;
        private long correct;
        private final long[] counts = new long[BINS];
        private final double[] confidences = new double[BINS];
        private final long[] hits = new long[BINS];

        private record Position(double loss, double kl, boolean agrees, boolean hits, double confidence) {
        }

        /** @param logits of the model, row-major {@code [tokens.length − 1, vocabSize]} */
        void add(int[] tokens, float[] logits, WholeDistributions.Rows teacher) {
            Position[] each = new Position[tokens.length - 1];
            IntStream.range(0, each.length).parallel().forEach(t -> each[t] = compare(t, tokens[t + 1], logits, teacher));
            for (Position position : each) {
                positions++;
                loss += position.loss();
                kl += position.kl();
                agreed += position.agrees() ? 1 : 0;
                correct += position.hits() ? 1 : 0;
                int bin = Math.min(BINS - 1, (int) (position.confidence() * BINS));
                counts[bin]++;
                confidences[bin] += position.confidence();
                hits[bin] += position.hits() ? 1 : 0;
            }
        }

        private static Position compare(int row, int next, float[] logits, WholeDistributions.Rows teacher) {
            int from = row * teacher.vocabSize();
            int best = from;
            for (int v = from + 1; v < from + teacher.vocabSize(); v++) {
                best = logits[v] > logits[best] ? v : best;
            }
            double sum = 0;
            for (int v = from; v < from + teacher.vocabSize(); v++) {
                sum += Math.exp((double) logits[v] - logits[best]);
            }
            double lse = logits[best] + Math.log(sum);
            return new Position(lse - logits[from + next], teacher.kl(row, logits, lse), best - from == teacher.best(row),
                    best - from == next, 1 / sum);
        }

        double perplexity() {
            return Math.exp(loss / positions);
        }

        double kl() {
            return kl / positions;
        }

        double agreement() {
            return (double) agreed / positions;
        }

        double accuracy() {
            return (double) correct / positions;
        }

        /** Expected calibration error of the most probable token, in 15 bins of equal width (Guo et al. 2017, arXiv 1706.04599). */
        double calibrationError() {
            double error = 0;
            for (int bin = 0; bin < BINS; bin++) {
                error += Math.abs(hits[bin] - confidences[bin]) / positions;
            }
            return error;
        }

        String toJson() {
            return String.format(Locale.ROOT, "{\"perplexity\": %.6g, \"kl\": %.6g, \"agreement\": %.6g, \"accuracy\": %.6g, \"ece\": %.6g}",
                    perplexity(), kl(), agreement(), accuracy(), calibrationError());
        }
    }
}
