// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.nd4j.linalg.factory.Nd4j;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.errors.UserException;
import org.potstill.nd4j.Nd4jRuntime.Gpu;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.Teachers;
import org.potstill.teacher.scoring.Batches;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.Teacher;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TeacherOptions.Device;
import org.potstill.teacher.scoring.TeacherOptions.Engine;

final class Nd4jTeacherTest {
    private static final int VOCABULARY = TinyLlama.config().vocabSize();

    @TempDir
    static Path folder;

    private static Path file;
    private static Teacher teacher;

    @BeforeAll
    static void open() {
        file = folder.resolve("tiny.gguf");
        TinyLlama.write(file, 5);
        teacher = open(file, Engine.ND4J, 2);
    }

    @AfterAll
    static void close() {
        teacher.close();
    }

    private static Teacher open(Path model, Engine engine, int threads) {
        try (Checkpoint checkpoint = Checkpoints.open(model)) {
            return Teachers.open(checkpoint, new TeacherOptions(engine, Device.AUTO, 0, Precision.FP32, threads, folder.resolve("scratch")));
        }
    }

    private static int[] sequence(int length, long seed) {
        return new Random(seed).ints(length, 0, VOCABULARY).toArray();
    }

    @ParameterizedTest
    @ValueSource(strings = {"untied", "tied", "quantised"})
    void logitsAreThoseOfTransformers(String name) {
        FloatBuffer expected = ByteBuffer.wrap(Fixtures.bytes(name + ".logits")).order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
        String text = new String(Fixtures.bytes(name + ".ids"), StandardCharsets.US_ASCII).trim();
        int[] ids = Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray();
        try (Teacher other = open(Fixtures.file(name + ".gguf", folder), Engine.ND4J, 2)) {
            float[] actual = other.logits(ids);
            int vocabulary = other.vocabSize();
            double scale = 0;
            double worst = 0;
            for (int i = 0; i < expected.limit(); i++) {
                // The fixtures keep every eighth position.
                int row = i / vocabulary * 8 + 7;
                scale = Math.max(scale, Math.abs(expected.get(i)));
                worst = Math.max(worst, Math.abs(expected.get(i) - actual[row * vocabulary + i % vocabulary]));
            }
            assertEquals(0, worst / scale, 1e-5);
        }
    }

    @Test
    void logitsAreThoseOfOnnxRuntimeForEveryShapeOfModelAndSequence() {
        for (CausalLmConfig config : List.of(
                TinyLlama.config(),
                new CausalLmConfig(320, 96, 64, 2, 6, 6, 16, 200, 1e-6f, 100_000f, false),
                new CausalLmConfig(330, 48, 80, 1, 4, 1, 32, 130, 1e-5f, 10_000f, true))) {
            Path model = folder.resolve("width-" + config.hiddenSize() + ".gguf");
            TinyLlama.write(model, 11, config);
            try (Teacher onnx = open(model, Engine.ONNX, 2); Teacher nd4j = open(model, Engine.ND4J, 2)) {
                for (int length : new int[] {1, 2, 3, 64, 101, 130}) {
                    int[] ids = sequence(length, length);
                    float[] expected = onnx.logits(ids);
                    float[] actual = nd4j.logits(ids);
                    double scale = 0;
                    double worst = 0;
                    for (int i = 0; i < expected.length; i++) {
                        scale = Math.max(scale, Math.abs(expected[i]));
                        worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
                    }
                    assertEquals(0, worst / scale, 1e-5, length + " tokens, " + config);
                }
            }
        }
    }

    @Test
    void scoresAreThoseOfOnnxRuntime() {
        List<int[]> sequences = List.of(sequence(100, 1), sequence(2, 2), sequence(257, 3));
        TargetSpec spec = TargetSpec.topK(9);
        List<ScoredSequence> actual = teacher.score(sequences, spec);
        try (Teacher onnx = open(file, Engine.ONNX, 2)) {
            List<ScoredSequence> expected = onnx.score(sequences, spec);
            for (int i = 0; i < sequences.size(); i++) {
                assertArrayEquals(expected.get(i).targets().ids(), actual.get(i).targets().ids());
                assertArrayEquals(expected.get(i).targets().probabilities(), actual.get(i).targets().probabilities(), 1e-5f);
                assertArrayEquals(expected.get(i).tokenLogProbabilities(), actual.get(i).tokenLogProbabilities(), 1e-4f);
            }
        }
    }

    @Test
    void aSequenceIsScoredTheSameToTheBitWhateverItsCompany() {
        List<int[]> sequences = new ArrayList<>();
        Random random = new Random(2);
        for (int i = 0; i < 10; i++) {
            sequences.add(sequence(2 + random.nextInt(255), i));
        }
        sequences.add(sequence(2, 99));
        sequences.add(sequence(257, 101));
        TargetSpec spec = TargetSpec.topK(16);
        List<ScoredSequence> together = teacher.score(sequences, spec);
        for (int i = sequences.size() - 1; i >= 0; i--) {
            assertSame(teacher.score(List.of(sequences.get(i)), spec).get(0), together.get(i));
        }
        try (Teacher single = open(file, Engine.ND4J, 1)) {
            List<ScoredSequence> oneThread = single.score(sequences, spec);
            for (int i = 0; i < sequences.size(); i++) {
                assertSame(oneThread.get(i), together.get(i));
            }
        }
    }

    private static void assertSame(ScoredSequence expected, ScoredSequence actual) {
        assertArrayEquals(expected.targets().ids(), actual.targets().ids());
        assertArrayEquals(expected.targets().probabilities(), actual.targets().probabilities());
        assertArrayEquals(expected.tokenLogProbabilities(), actual.tokenLogProbabilities());
    }

    @Test
    void severalThreadsTakeTurns() {
        List<int[]> batch = List.of(sequence(40, 3), sequence(60, 4));
        List<ScoredSequence> expected = teacher.score(batch, TargetSpec.topK(4));
        IntStream.range(0, 4).parallel().forEach(i -> {
            List<ScoredSequence> actual = teacher.score(batch, TargetSpec.topK(4));
            assertSame(expected.get(0), actual.get(0));
            assertSame(expected.get(1), actual.get(1));
        });
    }

    @Test
    void memoryOutsideTheHeapDoesNotGrowAndIsGivenBack() {
        long without = nativeBytes();
        Teacher other = open(file, Engine.ND4J, 2);
        for (int length = 256; length > 0; length -= Batches.BUCKET) {
            other.logits(sequence(length, 1));
        }
        other.logits(sequence(256, 1));
        long with = nativeBytes();
        assertTrue(with - without > 4L * 64 * VOCABULARY, "this test sees the weights");
        for (int i = 0; i < 50; i++) {
            other.logits(sequence(1 + 37 * i % 256, i));
        }
        other.logits(sequence(256, 1));
        // A few kilobytes of indices a pass wait for the garbage collector; one layer's arrays would be 50 times that.
        assertTrue(nativeBytes() - with < 400_000, nativeBytes() - with + " bytes more");
        other.close();
        assertTrue(nativeBytes() - without < 600_000, nativeBytes() - without + " bytes are still there");
    }

    /** What ND4J's arrays and workspaces take. */
    private static long nativeBytes() {
        return Nd4j.getEnvironment().getDeviceCouner(0) + Pointer.totalBytes();
    }

    @Test
    void badInputIsRefusedByNumberBeforeTheEngineSeesIt() {
        TargetSpec spec = TargetSpec.topK(4);
        assertTrue(refusal(() -> teacher.score(List.of(new int[] {1, 2}, new int[] {1, VOCABULARY}), spec))
                .contains("sequence 1 of the batch has token id " + VOCABULARY));
        assertTrue(refusal(() -> teacher.score(List.of(new int[258]), spec)).contains("2 to 257"));
        assertTrue(refusal(() -> teacher.logits(new int[0])).contains("has 0 tokens"));
    }

    @Test
    void weightsThatOverflowAreReportedAndNotCached() {
        CausalLmConfig config = TinyLlama.config();
        float[] gain = new float[config.hiddenSize()];
        Arrays.fill(gain, Float.MAX_VALUE);
        Path broken = folder.resolve("broken.gguf");
        TinyLlama.gguf(1, config).tensor("output_norm.weight", new long[] {gain.length}, gain).write(broken);
        try (Teacher other = open(broken, Engine.ND4J, 1)) {
            assertTrue(other.score(List.of(new int[] {1, 2, 3}), TargetSpec.topK(4)).get(0).problem()
                    .contains("no finite probabilities at position 0"));
        }
    }

    @Test
    void nd4jRunsOnlyWhereItsBuildHasCode() {
        List<Gpu> t4 = List.of(new Gpu("T4", 7, 5));
        assertEquals(Device.CPU, Nd4jDevice.require(Device.AUTO, false, List.of()));
        assertEquals(Device.CUDA, Nd4jDevice.require(Device.AUTO, true, t4));
        assertEquals(Device.CUDA, Nd4jDevice.require(Device.CUDA, true, List.of(new Gpu("L4", 8, 9))));
        assertTrue(refusal(() -> Nd4jDevice.require(Device.CUDA, false, List.of())).contains("-Pcuda"));
        assertTrue(refusal(() -> Nd4jDevice.require(Device.CPU, true, t4)).contains("CUDA only"));
        assertTrue(refusal(() -> Nd4jDevice.require(Device.AUTO, true, List.of())).contains("sees no GPU"));
        assertTrue(refusal(() -> Nd4jDevice.require(Device.CUDA, true, List.of(new Gpu("H100", 9, 0))))
                .contains("compute capability 9.0"));
        assertTrue(refusal(() -> Nd4jDevice.require(Device.CUDA, true, List.of(new Gpu("K20", 3, 5)))).contains("3.5"));
    }

    private static String refusal(Runnable call) {
        return assertThrows(UserException.class, call::run).getMessage();
    }
}
