// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TeacherOptions;

/** A JVM that limits its own address space, so that the engine really cannot allocate what a large batch needs. */
final class OutOfMemoryTest {
    private static final int VOCABULARY = 1 << 17;
    @TempDir
    private Path folder;

    @Test
    void aBatchThatMemoryDoesNotHoldIsHalvedAndTheSmallerSizeKept() throws Exception {
        Path file = teacher(VOCABULARY);
        String expected;
        try (OnnxTeacher unlimited = open(file)) {
            expected = digest(unlimited.score(batch(), TargetSpec.topK(8)));
            assertEquals(0, unlimited.takeWork().halvings());
        }
        // A part of the batch's log-probabilities is 64 MiB, and there are several tensors of its size.
        List<String> said = limited(file, 180);
        assertEquals("first " + expected, said.get(0));
        assertTrue(Integer.parseInt(said.get(1)) >= 1, said.toString());
        assertEquals("second " + expected, said.get(2));
        assertEquals("0", said.get(3), "the second time nothing fails");
    }

    @Test
    void oneSequenceThatMemoryDoesNotHoldIsAClearError() throws Exception {
        // A part of one sequence's log-probabilities is 64 MiB.
        List<String> said = limited(teacher(8 * VOCABULARY), 60);
        assertTrue(said.get(0).startsWith("not enough memory for the teacher to score one sequence of 256 tokens"), said.toString());
    }

    private Path teacher(int vocabSize) {
        Path file = folder.resolve("wide.gguf");
        TinyLlama.write(file, 4, new CausalLmConfig(vocabSize, 32, 64, 1, 2, 1, 16, 256, 1e-5f, 10_000f, true));
        return file;
    }

    private List<String> limited(Path file, int mebibytes) throws IOException, InterruptedException {
        Assumptions.assumeTrue(Files.isExecutable(Path.of("/usr/bin/prlimit")), "util-linux is not installed");
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        Process process = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xms64m", "-Xmx64m", "-cp", System.getProperty("java.class.path"), OutOfMemoryTest.class.getName(),
                file.toString(), String.valueOf(mebibytes)).redirectOutput(out.toFile()).redirectError(err.toFile()).start();
        assertTrue(process.waitFor(120, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue(), Files.readString(err) + Files.readString(out));
        return Files.readAllLines(out);
    }

    /** @param args teacher, MiB that may still be mapped once it is warm */
    public static void main(String[] args) throws Exception {
        List<int[]> batch = batch();
        try (OnnxTeacher teacher = open(Path.of(args[0]))) {
            // The engine's memory never shrinks: a tiny batch, or the large one would find room in it.
            digest(teacher.score(List.of(new int[] {1, 2}), TargetSpec.topK(8)));
            long mapped = 4096L * Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[0]);
            int limited = new ProcessBuilder("/usr/bin/prlimit", "--pid", String.valueOf(ProcessHandle.current().pid()),
                    "--as=" + (mapped + (Long.parseLong(args[1]) << 20))).inheritIO().start().waitFor();
            assertEquals(0, limited);
            System.out.println("first " + digest(teacher.score(batch, TargetSpec.topK(8))));
            System.out.println(teacher.takeWork().halvings());
            System.out.println("second " + digest(teacher.score(batch, TargetSpec.topK(8))));
            System.out.println(teacher.takeWork().halvings());
        } catch (UserException e) {
            System.out.println(e.getMessage());
        }
    }

    private static OnnxTeacher open(Path file) {
        return OnnxTeacher.open(file, new TeacherOptions(TeacherOptions.Device.CPU, 1, file.resolveSibling("scratch")));
    }

    /** 8 × 256 positions. */
    private static List<int[]> batch() {
        Random random = new Random(6);
        List<int[]> batch = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            batch.add(random.ints(257 - i % 3, 0, VOCABULARY).toArray());
        }
        return batch;
    }

    private static String digest(List<ScoredSequence> scored) throws Exception {
        MessageDigest sha = MessageDigest.getInstance("SHA-256");
        for (ScoredSequence sequence : scored) {
            ByteBuffer bytes = ByteBuffer.allocate(8 * sequence.targets().ids().length + 4 * sequence.tokenLogProbabilities().length);
            for (int id : sequence.targets().ids()) {
                bytes.putInt(id);
            }
            for (float p : sequence.targets().probabilities()) {
                bytes.putFloat(p);
            }
            for (float p : sequence.tokenLogProbabilities()) {
                bytes.putFloat(p);
            }
            sha.update(bytes.array());
        }
        return HexFormat.of().formatHex(sha.digest());
    }
}
