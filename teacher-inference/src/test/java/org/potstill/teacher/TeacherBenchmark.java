// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.Precision;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.ScoreAhead;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.potstill.teacher.scoring.TeacherOptions.Engine;

/**
 * The bare engine, for the comparisons in {@code bench}. It does what it reads on standard input, a line of tab-separated
 * words at a time: {@code score SEQUENCES} scores a file of sequences, a line of token ids each, and says how many seconds it took;
 * {@code dump SEQUENCES FILE} writes what it makes of the first of them, see {@link #dump}, and says so;
 * {@code company SEQUENCES} says how a batch of them differs from each alone. Arguments:
 * {@code ENGINE DEVICE PRECISION THREADS SPEC BATCH_TOKENS MODEL SCRATCH}.
 */
final class TeacherBenchmark {
    private TeacherBenchmark() {
    }

    public static void main(String[] arguments) throws IOException {
        TargetSpec spec = TargetSpec.parse(arguments[4]);
        TeacherOptions options = new TeacherOptions(Engine.valueOf(arguments[0]), Device.valueOf(arguments[1]), 0,
                Precision.valueOf(arguments[2]), Integer.parseInt(arguments[3]), Path.of(arguments[7]), spec);
        int batchTokens = Integer.parseInt(arguments[5]);
        try (Teacher teacher = Teachers.open(Path.of(arguments[6]), options);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                String[] command = line.split("\t");
                List<int[]> sequences = read(Path.of(command[1]));
                switch (command[0]) {
                    case "score" -> System.out.println(score(teacher, sequences, spec, batchTokens));
                    case "dump" -> System.out.println(dump(teacher, sequences.get(0), spec, Path.of(command[2])));
                    case "company" -> System.out.println(company(teacher, sequences, spec));
                    default -> throw new IllegalArgumentException(line);
                }
            }
        }
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                System.out.println(line.replaceAll("\\D", ""));
            }
        }
    }

    private static List<int[]> read(Path file) throws IOException {
        return Files.readAllLines(file).stream()
                .map(line -> Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
    }

    /** Seconds, with batches as labelling has them scored. */
    private static double score(Teacher teacher, List<int[]> sequences, TargetSpec spec, int batchTokens) {
        int longest = sequences.stream().mapToInt(s -> s.length).max().orElseThrow();
        long begin = System.nanoTime();
        ScoreAhead.forEach(teacher, spec, sequences, Function.identity(), longest, batchTokens, (sequence, scored) -> {
        });
        return (System.nanoTime() - begin) / 1e9;
    }

    private static String company(Teacher teacher, List<int[]> sequences, TargetSpec spec) {
        List<ScoredSequence> together = teacher.score(sequences, spec);
        long positions = 0;
        long otherIds = 0;
        double furthest = 0;
        for (int i = 0; i < sequences.size(); i++) {
            SoftTargets batched = together.get(i).targets();
            SoftTargets alone = teacher.score(List.of(sequences.get(i)), spec).get(0).targets();
            for (int position = 0; position < batched.positions(); position++, positions++) {
                int from = batched.begin(position);
                int to = batched.end(position);
                if (!Arrays.equals(batched.ids(), from, to, alone.ids(), from, to)) {
                    otherIds++;
                } else {
                    for (int entry = from; entry < to; entry++) {
                        furthest = Math.max(furthest, Math.abs(batched.probabilities()[entry] - alone.probabilities()[entry]));
                    }
                }
            }
        }
        return "alone and in a batch: %d of %d positions have other ids or another order, the others' probabilities differ by at most %.1e"
                .formatted(otherIds, positions, furthest);
    }

    /** Little-endian: V logits for each of the n positions; the number of targets of each, int32; their ids, int32; their probabilities. */
    private static String dump(Teacher teacher, int[] sequence, TargetSpec spec, Path file) throws IOException {
        float[] logits = teacher.logits(Arrays.copyOf(sequence, sequence.length - 1));
        SoftTargets targets = teacher.score(List.of(sequence), spec).get(0).targets();
        int[] counts = IntStream.range(0, targets.positions()).map(t -> targets.end(t) - targets.begin(t)).toArray();
        ByteBuffer bytes = ByteBuffer.allocate(4 * (logits.length + counts.length + 2 * targets.ids().length)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asFloatBuffer().put(logits);
        bytes.position(4 * logits.length);
        bytes.asIntBuffer().put(counts).put(targets.ids());
        bytes.position(bytes.position() + 4 * (counts.length + targets.ids().length));
        bytes.asFloatBuffer().put(targets.probabilities());
        Files.write(file, bytes.array());
        return "dumped";
    }
}
