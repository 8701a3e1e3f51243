// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.graph.ExternalWeights;
import org.potstill.checkpoints.graph.LlamaGraph;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.teacher.scoring.TeacherOptions;
import org.potstill.teacher.scoring.TokenBatch;

final class LlamaGraphTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @EnumSource(names = {"FUSED", "GPU"})
    void kernelsAgreeWithPlainOnes(LlamaGraph.Kernels kernels) {
        for (CausalLmConfig config : List.of(
                TinyLlama.config(),
                new CausalLmConfig(320, 96, 64, 2, 6, 6, 16, 200, 1e-6f, 100_000f, false),
                new CausalLmConfig(330, 48, 80, 1, 4, 1, 32, 130, 1e-5f, 10_000f, true),
                // Heads that no fused kernel takes.
                new CausalLmConfig(320, 32, 64, 2, 4, 2, 8, 200, 1e-5f, 10_000f, true),
                new CausalLmConfig(320, 40, 64, 2, 4, 2, 16, 200, 1e-5f, 10_000f, true,
                        new Variant(Family.MISTRAL, false, false, 20, List.of(0, 1), List.of())),
                new CausalLmConfig(320, 56, 64, 2, 4, 2, 16, 200, 1e-5f, 10_000f, true,
                        new Variant(Family.QWEN3, true, false, 0, List.of(), List.of())))) {
            Path file = folder.resolve(config.hiddenSize() + ".gguf");
            TinyLlama.write(file, 11, config);
            float[] plain = logits(file, LlamaGraph.Kernels.PLAIN);
            float[] fused = logits(file, kernels);
            double scale = 0;
            double worst = 0;
            for (int i = 0; i < plain.length; i++) {
                scale = Math.max(scale, Math.abs(plain[i]));
                worst = Math.max(worst, Math.abs(plain[i] - fused[i]));
            }
            assertEquals(0, worst / scale, 2e-6, config.toString());
        }
    }

    private float[] logits(Path file, LlamaGraph.Kernels kernels) {
        TeacherOptions options = new TeacherOptions(TeacherOptions.Device.CPU, 2, folder.resolve("scratch"));
        try (Checkpoint checkpoint = Checkpoints.open(file)) {
            CausalLmConfig config = checkpoint.config();
            Path weights = ExternalWeights.materialize(checkpoint, Precision.FP32, null, options.scratch());
            byte[] model = LlamaGraph.build(config, LlamaGraph.Ending.LOGITS, kernels, Precision.FP32);
            try (OnnxEngine engine = OnnxEngine.open(model, weights, options)) {
                Random random = new Random(4);
                int[] longer = random.ints(101, 0, config.vocabSize()).toArray();
                int[] shorter = random.ints(77, 0, config.vocabSize()).toArray();
                return engine.logits(new TokenBatch(List.of(longer, shorter), 128), config.vocabSize());
            }
        }
    }
}
