// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.Fixtures;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TokenBatch;

final class HuggingFaceLogitsTest {
    /** The fixtures keep every eighth position. */
    private static final int EVERY = 8;

    @TempDir
    Path folder;

    static Stream<Arguments> fixtures() {
        return Stream.of("untied", "tied", "quantised", "kquants", "scaled", "qwen2", "qwen3", "llama3-f32", "mistral-bf16",
                        "qwen2-f16", "qwen3-f32", "smollm3", "smollm3-windows", "granite", "phi3", "phi3-longrope", "olmo2", "gemma2",
                        "gemma3", "llama-linear", "qwen3-yarn", "llama-yarn", "ggml-smollm3", "ggml-granite", "ggml-phi3", "ggml-olmo2",
                        "ggml-gemma2", "ggml-gemma3", "ggml-yarn", "mixtral", "qwen3-moe", "ggml-mixtral", "ggml-qwen3-moe")
                .flatMap(name -> Arrays.stream(LlamaGraph.Kernels.values()).map(kernels -> Arguments.of(name, kernels)));
    }

    @ParameterizedTest
    @MethodSource("fixtures")
    void logitsAreThoseOfTransformers(String name, LlamaGraph.Kernels kernels) {
        FloatBuffer expected = ByteBuffer.wrap(Fixtures.bytes(name + ".logits")).order(ByteOrder.LITTLE_ENDIAN)
                .asFloatBuffer();
        float[] actual = logits(name, kernels);
        double scale = 0;
        double worst = 0;
        for (int i = 0; i < expected.limit(); i++) {
            int row = i / 304 * EVERY + EVERY - 1;
            scale = Math.max(scale, Math.abs(expected.get(i)));
            worst = Math.max(worst, Math.abs(expected.get(i) - actual[row * 304 + i % 304]));
        }
        assertEquals(0, worst / scale, 2e-5);
    }

    private float[] logits(String name, LlamaGraph.Kernels kernels) {
        String text = new String(Fixtures.bytes(name + ".ids"), StandardCharsets.US_ASCII).trim();
        int[] ids = Arrays.stream(text.split(" ")).mapToInt(Integer::parseInt).toArray();
        int[] sequence = Arrays.copyOf(ids, ids.length + 1);
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch"));
        try (Checkpoint checkpoint = Checkpoints.open(Fixtures.checkpoint(name, folder))) {
            Path weights = ExternalWeights.materialize(checkpoint, Precision.FP32, null, options.scratch());
            byte[] model = LlamaGraph.build(checkpoint.config(), LlamaGraph.Ending.LOGITS, kernels, Precision.FP32);
            try (OnnxEngine engine = OnnxEngine.open(model, weights, options)) {
                return engine.logits(new TokenBatch(List.of(sequence), 64), 304);
            }
        }
    }
}
