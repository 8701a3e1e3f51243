// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.softlabels.SoftTargets;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * A student that trains when it is told to, for {@code bench/student_speed.py}. Not a test: run its main with the
 * arguments {@code threads alpha precision folder}; the folder holds {@code config.json} and gets the first weights,
 * {@code model.safetensors}. Says {@code ready}; then of each line of its input, the name of a file of sequences, the
 * seconds of one step and the loss before it; at the input's end its peak memory in KiB.
 *
 * <p>In a file, a line is a sequence: {@code n k}, n ids, then for each of n − 1 positions k ids and k probabilities.
 */
final class TrainingBenchmark {
    private TrainingBenchmark() {
    }

    public static void main(String[] args) throws IOException {
        Student.setThreads(Integer.parseInt(args[0]));
        Path folder = Path.of(args[3]);
        CausalLmConfig config = CausalLmConfig.fromJson(Files.readString(folder.resolve("config.json")), "config.json");
        TrainingOptions options = new TrainingOptions(Objective.of(Double.parseDouble(args[1])), 1e-3, 0, 1_000_000, 1e-3, 0.1, 0.9, 0.95,
                1e-8, 1, TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.valueOf(args[2]));
        try (Student student = Student.create(config, options, 1);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            student.save(folder);
            System.out.println("ready");
            int step = 0;
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                List<TrainingSequence> batch = read(Path.of(line));
                long start = System.nanoTime();
                StepLoss loss = student.step(batch, step++);
                System.out.println((System.nanoTime() - start) / 1e9 + " " + loss.total());
            }
            System.out.println(ResidentMemory.peak());
        }
    }

    private static List<TrainingSequence> read(Path file) throws IOException {
        List<TrainingSequence> batch = new ArrayList<>();
        for (String line : Files.readAllLines(file)) {
            String[] words = line.split(" ");
            int n = Integer.parseInt(words[0]);
            int k = Integer.parseInt(words[1]);
            int at = 2;
            int[] tokens = new int[n];
            for (int t = 0; t < n; t++) {
                tokens[t] = Integer.parseInt(words[at++]);
            }
            int[] offsets = new int[n];
            int[] ids = new int[(n - 1) * k];
            float[] probabilities = new float[ids.length];
            for (int t = 0; t < n - 1; t++) {
                offsets[t + 1] = offsets[t] + k;
                for (int i = 0; i < k; i++) {
                    ids[offsets[t] + i] = Integer.parseInt(words[at++]);
                }
                for (int i = 0; i < k; i++) {
                    probabilities[offsets[t] + i] = Float.parseFloat(words[at++]);
                }
            }
            batch.add(new TrainingSequence(tokens, new SoftTargets(offsets, ids, probabilities)));
        }
        return batch;
    }
}
