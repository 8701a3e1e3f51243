// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.potstill.checkpoints.CausalLm;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.formats.onnx.ReadyMade;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.graph.OnnxModel;
import org.potstill.checkpoints.io.Precision;
import org.potstill.softlabels.TargetSpec;
import org.potstill.teacher.scoring.ScoredSequence;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TokenBatch;

final class ReadyMadeTeacherTest {
    private static final int VOCABULARY = ReadyMade.VOCABULARY;

    @TempDir
    Path folder;

    /** transformers computes half in half throughout, ONNX Runtime on a CPU mostly in float. */
    @ParameterizedTest
    @CsvSource({"plain, 1e-5", "past, 1e-5", "merged, 1e-5", "gpt2, 1e-5", "half, 3e-3"})
    void logitsOfARaggedBatchAreThoseOfTransformers(String name, double tolerance) {
        float[] expected = ReadyMade.logits(name);
        float[] actual = logits(name, ReadyMade.ids(), 64);
        assertEquals(expected.length, actual.length);
        double scale = 0;
        double worst = 0;
        for (int i = 0; i < expected.length; i++) {
            scale = Math.max(scale, Math.abs(expected[i]));
            worst = Math.max(worst, Math.abs(expected[i] - actual[i]));
        }
        assertEquals(0, worst / scale, tolerance);
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "past", "merged", "gpt2"})
    void scoresAreThoseOfTransformersLogits(String name) {
        List<int[]> texts = ReadyMade.ids().stream().filter(ids -> ids.length > 1).toList();
        float[] logits = ReadyMade.logits(name);
        List<ScoredSequence> scored;
        try (OnnxTeacher teacher = OnnxTeacher.open(ReadyMade.copy(name, folder), options())) {
            assertEquals(VOCABULARY, teacher.vocabSize());
            scored = teacher.score(texts, TargetSpec.topK(9));
        }
        int first = 0;
        for (int i = 0; i < texts.size(); i++) {
            int[] ids = texts.get(i);
            assertEquals(ids.length - 1, scored.get(i).targets().positions());
            for (int t = 0; t < ids.length - 1; t++) {
                float[] row = Arrays.copyOfRange(logits, (first + t) * VOCABULARY, (first + t + 1) * VOCABULARY);
                double lse = Math.log(IntStream.range(0, VOCABULARY).mapToDouble(v -> Math.exp(row[v])).sum());
                int[] best = IntStream.range(0, VOCABULARY).boxed().sorted((a, b) -> Float.compare(row[b], row[a]))
                        .limit(9).mapToInt(Integer::intValue).toArray();
                for (int j = 0; j < 9; j++) {
                    assertEquals(best[j], scored.get(i).targets().ids()[t * 9 + j]);
                    assertEquals(Math.exp(row[best[j]] - lse), scored.get(i).targets().probabilities()[t * 9 + j], 1e-6);
                }
                assertEquals(row[ids[t + 1]] - lse, scored.get(i).tokenLogProbabilities()[t], 1e-4);
            }
            first += ids.length;
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"plain", "past", "merged", "gpt2", "half"})
    void aTextIsScoredTheSameToTheBitWhateverItsCompany(String name) {
        List<int[]> texts = List.of(text(40, 1), text(64, 2), text(2, 3), text(17, 4));
        try (OnnxTeacher teacher = OnnxTeacher.open(ReadyMade.copy(name, folder), options())) {
            List<ScoredSequence> together = teacher.score(texts, TargetSpec.topK(5));
            for (int i = 0; i < texts.size(); i++) {
                ScoredSequence alone = teacher.score(List.of(texts.get(i)), TargetSpec.topK(5)).get(0);
                assertArrayEquals(alone.targets().ids(), together.get(i).targets().ids());
                assertArrayEquals(alone.targets().probabilities(), together.get(i).targets().probabilities());
                assertArrayEquals(alone.tokenLogProbabilities(), together.get(i).tokenLogProbabilities());
            }
        }
    }

    @Test
    void aFolderIsATeacherToo() throws IOException {
        Files.move(ReadyMade.copy("plain", folder), folder.resolve("onnx/model.onnx"));
        try (OnnxTeacher teacher = OnnxTeacher.open(folder, options())) {
            assertEquals(10 * VOCABULARY, teacher.logits(text(10, 5)).length);
        }
    }

    private float[] logits(String name, List<int[]> texts, int padded) {
        List<int[]> sequences = texts.stream().map(ids -> Arrays.copyOf(ids, ids.length + 1)).toList();
        try (CausalLm model = Checkpoints.model(ReadyMade.copy(name, folder))) {
            OnnxModel onnx = model.onnx(LlamaGraph.Ending.LOGITS, Precision.FP32, null, options().scratch());
            try (OnnxEngine engine = OnnxEngine.open(onnx.bytes(), onnx.weights(), options())) {
                return engine.logits(new TokenBatch(sequences, padded), VOCABULARY);
            }
        }
    }

    private static int[] text(int length, long seed) {
        return new Random(seed).ints(length, 0, VOCABULARY).toArray();
    }

    private TeacherOptions options() {
        return new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch"));
    }
}
