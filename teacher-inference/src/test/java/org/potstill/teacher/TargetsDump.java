// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher;

import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ForkJoinPool;
import java.util.stream.IntStream;
import org.potstill.softlabels.SoftTargets;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.LogitScores;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * Writes a teacher's whole distributions over some sequences, and soft targets of several kinds made from them, for
 * {@code bench/quality.py}. Not a test: run its main with the arguments
 * {@code MODEL SCRATCH THREADS SEQUENCES FOLDER SPEC...}, where {@code SEQUENCES} has a line of token ids per sequence. Prints
 * the number of sequences done after each, then the seconds that the teacher took.
 *
 * <p>{@code FOLDER/logits} holds, for each position of each sequence, one unsigned 16-bit little-endian number per token of the
 * vocabulary: how far its logit lies below the largest, in units of 1/1024 nat, at most 64 nats. A file named after each
 * specification holds its targets, big-endian: per position the number of ids, the ids, and their probabilities.
 */
final class TargetsDump {
    private static final float STEPS_PER_NAT = 1024;
    private static final int MAX_STEPS = 0xffff;

    private final Teacher teacher;
    private final ForkJoinPool pool;
    private final List<TargetSpec> specs;

    private TargetsDump(Teacher teacher, ForkJoinPool pool, List<TargetSpec> specs) {
        this.teacher = teacher;
        this.pool = pool;
        this.specs = specs;
    }

    public static void main(String[] arguments) throws IOException {
        int threads = Integer.parseInt(arguments[2]);
        List<int[]> sequences = Files.readAllLines(Path.of(arguments[3])).stream()
                .map(line -> Arrays.stream(line.split(" ")).mapToInt(Integer::parseInt).toArray()).toList();
        List<TargetSpec> specs = Arrays.stream(arguments).skip(5).map(TargetSpec::parse).toList();
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.CPU, threads, Path.of(arguments[1]));
        ForkJoinPool pool = new ForkJoinPool(threads);
        try (Teacher teacher = Teachers.open(Path.of(arguments[0]), options)) {
            System.out.println(new TargetsDump(teacher, pool, specs).write(sequences, Path.of(arguments[4])));
        } finally {
            pool.shutdown();
        }
    }

    /** @return seconds in the teacher's forward pass */
    private double write(List<int[]> sequences, Path folder) throws IOException {
        List<DataOutputStream> files = new ArrayList<>();
        double seconds = 0;
        try (FileChannel whole = FileChannel.open(folder.resolve("logits"), StandardOpenOption.CREATE, StandardOpenOption.WRITE,
                StandardOpenOption.TRUNCATE_EXISTING)) {
            for (TargetSpec spec : specs) {
                files.add(new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(folder.resolve(spec.name())))));
            }
            for (int s = 0; s < sequences.size(); s++) {
                int[] sequence = sequences.get(s);
                long begin = System.nanoTime();
                float[] logits = teacher.logits(Arrays.copyOf(sequence, sequence.length - 1));
                seconds += (System.nanoTime() - begin) / 1e9;
                ByteBuffer encoded = encode(logits, sequence.length - 1);
                while (encoded.hasRemaining()) {
                    whole.write(encoded);
                }
                for (int i = 0; i < specs.size(); i++) {
                    LogitScores scores = new LogitScores(sequence, teacher.vocabSize(), specs.get(i));
                    scores.add(0, sequence.length - 1, logits, pool);
                    write(scores.result().targets(), files.get(i));
                }
                System.out.println(s + 1);
            }
        } finally {
            for (DataOutputStream file : files) {
                file.close();
            }
        }
        return seconds;
    }

    private ByteBuffer encode(float[] logits, int positions) {
        int vocabSize = logits.length / positions;
        ByteBuffer encoded = ByteBuffer.allocate(logits.length * Short.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        pool.submit(() -> IntStream.range(0, positions).parallel().forEach(row -> {
            int from = row * vocabSize;
            float max = Float.NEGATIVE_INFINITY;
            for (int v = from; v < from + vocabSize; v++) {
                max = Math.max(max, logits[v]);
            }
            for (int v = from; v < from + vocabSize; v++) {
                encoded.putShort(v * Short.BYTES, (short) Math.min(MAX_STEPS, Math.round((max - logits[v]) * STEPS_PER_NAT)));
            }
        })).join();
        return encoded;
    }

    private static void write(SoftTargets targets, DataOutputStream file) throws IOException {
        for (int t = 0; t < targets.positions(); t++) {
            file.writeInt(targets.end(t) - targets.begin(t));
            for (int i = targets.begin(t); i < targets.end(t); i++) {
                file.writeInt(targets.ids()[i]);
            }
            for (int i = targets.begin(t); i < targets.end(t); i++) {
                file.writeFloat(targets.probabilities()[i]);
            }
        }
    }
}
