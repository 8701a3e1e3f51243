// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.potstill.checkpoints.Checkpoint;
import org.potstill.checkpoints.formats.Checkpoints;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.TinyLlama;
import org.potstill.checkpoints.model.Traits;
import org.potstill.errors.UserException;

class GgufExpertsTest {
    private static final int EXPERTS = 3;
    private static final CausalLmConfig MIXTRAL = new CausalLmConfig(320, 32, 64, 2, 4, 2, 8, 64, 1e-5f, 10_000f, false,
            new Variant(Family.MIXTRAL, false, false, 0, List.of(), List.of(),
                    Traits.of(Family.MIXTRAL).with(new Traits.Experts(EXPERTS, 2, true))));

    @TempDir
    Path folder;

    /** As in files of before April 2024. */
    private static GgufWriter oneByOne() {
        return TinyLlama.gguf(1, MIXTRAL);
    }

    private static GgufWriter stacked() {
        GgufWriter gguf = oneByOne();
        for (int layer = 0; layer < MIXTRAL.numHiddenLayers(); layer++) {
            for (String part : List.of("ffn_gate", "ffn_up", "ffn_down")) {
                String name = "blk." + layer + "." + part;
                gguf.stack(name + "_exps.weight", IntStream.range(0, EXPERTS).mapToObj(e -> name + "." + e + ".weight").toList());
            }
        }
        return gguf;
    }

    private Checkpoint open(GgufWriter gguf, String name) {
        gguf.write(folder.resolve(name));
        return Checkpoints.open(folder.resolve(name));
    }

    private static void assertSameTensors(Checkpoint expected, Checkpoint actual) {
        assertEquals(MIXTRAL, actual.config());
        assertEquals(LlamaTensors.shapes(MIXTRAL).keySet(), actual.tensors().keySet());
        expected.tensors().forEach((name, shape) -> {
            FloatBuffer[] values = {FloatBuffer.allocate(320 * 64), FloatBuffer.allocate(320 * 64)};
            expected.read(name, values[0]);
            // In two pieces, as where a tensor is larger than a buffer.
            long rows = shape.length == 1 ? 1 : shape[0];
            actual.readRows(name, 0, rows / 2, values[1]);
            actual.readRows(name, rows / 2, rows - rows / 2, values[1]);
            assertArrayEquals(values[0].array(), values[1].array(), name);
        });
    }

    @Test
    void aStackHasTheExpertsInTheirOrder() {
        try (Checkpoint separate = open(oneByOne(), "separate.gguf"); Checkpoint stack = open(stacked(), "stacked.gguf")) {
            assertSameTensors(separate, stack);
            assertEquals(separate.parameters(), stack.parameters());
        }
    }

    @Test
    void stacksMayLieInSeveralParts() {
        GgufWriter first = stacked().put("split.no", 0).put("split.count", 2);
        GgufWriter second = new GgufWriter().put("split.no", 1).put("split.count", 2);
        GgufWriter whole = stacked();
        for (String name : List.of("blk.0.ffn_down_exps.weight", "blk.1.ffn_gate_exps.weight")) {
            first.removeTensor(name);
            second.tensor(name, whole.shape(name), whole.values(name));
        }
        first.write(folder.resolve("m-00001-of-00002.gguf"));
        try (Checkpoint separate = open(oneByOne(), "separate.gguf"); Checkpoint parts = open(second, "m-00002-of-00002.gguf")) {
            assertSameTensors(separate, parts);
        }
    }

    @Test
    void expertsRunInSingleAndHalfPrecision() {
        try (Checkpoint checkpoint = open(stacked(), "stacked.gguf")) {
            checkpoint.requirePrecision(Precision.FP32);
            checkpoint.requirePrecision(Precision.FP16);
            UserException e = assertThrows(UserException.class, () -> checkpoint.requirePrecision(Precision.INT8));
            assertTrue(e.cause().contains("mixture of experts"), e.getMessage());
        }
    }

    @Test
    void otherMixturesAreRefused() {
        refused(g -> g.put("llama.expert_count", 4), "wrong shape");
        refused(g -> g.put("llama.expert_count", 1 << 20), "experts");
        refused(g -> g.put("llama.expert_used_count", 4), "4 of 3 experts");
        refused(g -> g.put("llama.expert_gating_func", 2), "llama.expert_gating_func");
        refused(g -> g.put("llama.expert_weights_scale", 2.5f), "llama.expert_weights_scale");
        refused(g -> g.put("llama.expert_weights_norm", false), "llama.expert_weights_norm");
        refused(g -> g.put("llama.expert_shared_count", 1), "llama.expert_shared_count");
        refused(g -> g.put("general.architecture", "granite").put("granite.expert_count", 3), "granite.expert_count");
        refused(g -> g.removeTensor("blk.1.ffn_up_exps.weight"), "blk.1.ffn_up_exps.weight is missing");
        refused(g -> g.removeTensor("blk.1.ffn_gate_inp.weight"), "blk.1.ffn_gate_inp.weight is missing");
        refused(g -> g.tensor("blk.0.ffn_up_exps.weight", new long[] {64, EXPERTS, 32}, new float[64 * EXPERTS * 32]), "wrong shape");
        refused(g -> g.tensor("blk.0.ffn_up_shexp.weight", new long[] {64, 32}, new float[64 * 32]), "blk.0.ffn_up_shexp.weight");
        refused(g -> g.tensor("blk.0.ffn_gate.0.weight", new long[] {64, 32}, new float[64 * 32]), "_exps.weight");
    }

    private void refused(UnaryOperator<GgufWriter> flaw, String word) {
        UserException e = assertThrows(UserException.class, () -> open(flaw.apply(stacked()), "flawed.gguf").close());
        assertTrue(e.getMessage().contains(word), e.getMessage());
    }

    /** More names than memory should be spent on for a small file. */
    @Test
    void manyExpertsInManyLayersAreRefused() {
        assertThrows(UserException.class, () -> new CausalLmConfig(320, 32, 64, 1024, 4, 2, 8, 64, 1e-5f, 10_000f, false,
                new Variant(Family.MIXTRAL, false, false, 0, List.of(), List.of(), Traits.of(Family.MIXTRAL).with(new Traits.Experts(1024, 2, true)))));
    }
}
