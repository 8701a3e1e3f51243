// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.student.BenchmarkSequences;
import org.potstill.student.ResidentMemory;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.batch.TrainingSequence;
import org.potstill.student.loss.Objective;
import org.potstill.student.options.MatrixPrecision;
import org.potstill.student.options.TrainingOptions;

/**
 * A training graph that takes steps when it is told to, for {@code bench/gpu_train.py}. Not a test: run its main with the arguments
 * {@code threads gpu precision chunk alpha folder}; the folder holds {@code config.json} and the first weights, {@code weights.bin}, the
 * flat vector as little-endian floats. A gpu of −1 is the CPU. Says {@code ready}; then of each line of its input, the name of a file of
 * batches with empty lines between, the seconds of one run of all of them and each step's loss; at the input's end its peak memory in KiB.
 *
 * <p>Without ND4J, for which a machine with a GPU may have no natives.
 */
final class TrainingSessionBenchmark {
    private TrainingSessionBenchmark() {
    }

    public static void main(String[] args) throws IOException {
        double alpha = Double.parseDouble(args[4]);
        Path folder = Path.of(args[5]);
        CausalLmConfig config = CausalLmConfig.fromJson(Files.readString(folder.resolve("config.json")), "config.json");
        TrainingOptions options = new TrainingOptions(Objective.of(alpha), 1e-3, 0, 1_000_000, 1e-3, 0.1, 0.9, 0.95, 1e-8, 1,
                TrainingOptions.Optimizer.ADAMW, false, MatrixPrecision.FP32);
        try (TrainingSession session = TrainingSession.open(config, options, LinearProducts.Precision.valueOf(args[2]),
                Integer.parseInt(args[3]), Integer.parseInt(args[0]), Integer.parseInt(args[1]));
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            try (FileChannel weights = FileChannel.open(folder.resolve("weights.bin"))) {
                FloatBuffer all = weights.map(FileChannel.MapMode.READ_ONLY, 0, weights.size()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
                session.state().eachLayer((tensor, from, parameters, first, second) -> {
                    parameters.put(all.slice(from, tensor.perLayer()));
                    first.put(new float[tensor.perLayer()]);
                    second.put(new float[tensor.perLayer()]);
                });
            }
            System.out.println("ready");
            int step = 0;
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                List<StepInputs.Step> steps = new ArrayList<>();
                for (String batch : Files.readString(Path.of(line)).split("\n\n")) {
                    steps.add(new StepInputs.Step(packed(BenchmarkSequences.read(batch.lines().toList())), step++));
                }
                long start = System.nanoTime();
                TrainingSession.Losses losses = session.run(steps);
                StringBuilder answer = new StringBuilder().append((System.nanoTime() - start) / 1e9);
                for (int i = 0; i < steps.size(); i++) {
                    answer.append(' ').append(alpha * losses.divergences()[i] + (1 - alpha) * losses.crossEntropies()[i]);
                }
                System.out.println(answer);
            }
            System.out.println(ResidentMemory.peak());
        }
    }

    /** Packs sequences with equally many kept tokens at each position. */
    private static PackedBatch packed(List<TrainingSequence> batch) {
        int rows = batch.stream().mapToInt(sequence -> sequence.targets().positions()).sum();
        int kept = batch.get(0).targets().end(0);
        int[] starts = new int[batch.size() + 1];
        int[] positions = new int[rows];
        int[] ids = new int[rows];
        boolean[] counted = new boolean[rows];
        int[] nextIds = new int[rows];
        int[] offsets = new int[rows + 1];
        int[] keptIds = new int[rows * kept];
        float[] probabilities = new float[rows * kept];
        Arrays.fill(counted, true);
        int row = 0;
        for (int s = 0; s < batch.size(); s++) {
            TrainingSequence sequence = batch.get(s);
            int count = sequence.targets().positions();
            System.arraycopy(sequence.tokens(), 0, ids, row, count);
            System.arraycopy(sequence.tokens(), 1, nextIds, row, count);
            System.arraycopy(sequence.targets().ids(), 0, keptIds, row * kept, count * kept);
            System.arraycopy(sequence.targets().probabilities(), 0, probabilities, row * kept, count * kept);
            for (int t = 0; t < count; t++, row++) {
                positions[row] = t;
                offsets[row + 1] = (row + 1) * kept;
            }
            starts[s + 1] = row;
        }
        return new PackedBatch(starts, positions, ids, new PackedBatch.Targets(counted, nextIds, offsets, keptIds, probabilities));
    }
}
