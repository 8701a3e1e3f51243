// SPDX-License-Identifier: Apache-2.0
package org.potstill.student;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;
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
 * See {@link BenchmarkSequences} for files.
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
                List<TrainingSequence> batch = BenchmarkSequences.read(Files.readAllLines(Path.of(line)));
                long start = System.nanoTime();
                StepLoss loss = student.step(batch, step++);
                System.out.println((System.nanoTime() - start) / 1e9 + " " + loss.total());
            }
            System.out.println(ResidentMemory.peak());
        }
    }
}
