package org.potstill.teacher;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.potstill.checkpoints.Precision;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.TeacherOptions.Device;
import org.potstill.teacher.TeacherOptions.Engine;

/**
 * The bare engine, for {@code bench/teacher_speed.py}: scores a file of sequences, a line of token ids each, as often as a
 * line comes on standard input, and says how many seconds it took. Arguments:
 * {@code ENGINE DEVICE PRECISION THREADS SPEC BATCH_TOKENS MODEL SCRATCH SEQUENCES}.
 */
final class TeacherBenchmark {
    private TeacherBenchmark() {
    }

    public static void main(String[] arguments) throws IOException {
        TargetSpec spec = TargetSpec.parse(arguments[4]);
        TeacherOptions options = new TeacherOptions(Engine.valueOf(arguments[0]), Device.valueOf(arguments[1]), 0,
                Precision.valueOf(arguments[2]), Integer.parseInt(arguments[3]), Path.of(arguments[7]), spec);
        int batchTokens = Integer.parseInt(arguments[5]);
        List<int[]> sequences = Files.readAllLines(Path.of(arguments[8])).stream()
                .map(line -> Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
        int[] lengths = sequences.stream().mapToInt(s -> s.length).toArray();
        int longest = Arrays.stream(lengths).max().orElseThrow();
        try (Teacher teacher = Teachers.open(Path.of(arguments[6]), options);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            System.out.println("ready");
            while (in.readLine() != null) {
                long begin = System.nanoTime();
                for (int[] batch : Batches.plan(lengths, longest, batchTokens)) {
                    teacher.score(Arrays.stream(batch).mapToObj(sequences::get).toList(), spec);
                }
                System.out.println((System.nanoTime() - begin) / 1e9);
            }
        }
        for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
            if (line.startsWith("VmHWM")) {
                System.out.println(line.replaceAll("\\D", ""));
            }
        }
    }
}
