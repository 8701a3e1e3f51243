// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.errors.UserException;

final class CausalLmConfigTest {
    private static final CausalLmConfig CONFIG =
            new CausalLmConfig(49152, 576, 1536, 30, 9, 3, 64, 8192, 1e-5f, 100_000f, true);

    @Test
    void whatIsWrittenIsRead() {
        assertEquals(CONFIG, CausalLmConfig.fromJson(CONFIG.toJson(), "config.json"));
    }

    @Test
    void whatSetsAFamilyApartIsWrittenAndRead() {
        List<Integer> all = IntStream.range(0, 30).boxed().toList();
        List<Float> divisors = IntStream.range(0, 32).mapToObj(j -> 1 + j / 3f).toList();
        for (Variant variant : List.of(
                new Variant(Family.LLAMA, true, true, 0, List.of(), divisors),
                new Variant(Family.MISTRAL, false, false, 4096, all, List.of()),
                new Variant(Family.MISTRAL, false, false, 0, List.of(), List.of()),
                new Variant(Family.QWEN2, true, false, 7, List.of(3, 5), List.of()),
                new Variant(Family.QWEN3, false, false, 0, List.of(), divisors),
                new Variant(Family.QWEN3, true, false, 12, List.of(29), List.of()),
                new Variant(Family.SMOLLM3, true, true, 9, List.of(3), List.of(), Traits.PLAIN.with(rotary(0, List.of(3, 7), 0, 1))),
                new Variant(Family.GRANITE, false, true, 0, List.of(), List.of(), Traits.PLAIN.with(new Traits.Scales(12, 0.22, 0.015625, 0.125))),
                new Variant(Family.PHI3, false, false, 2047, all, divisors.subList(0, 24), Traits.PLAIN.with(rotary(48, List.of(), 0, 1.19))),
                new Variant(Family.OLMO2, false, false, 0, List.of(), List.of()),
                gemma(Family.GEMMA2, new Traits.Softcaps(50, 30), Traits.Rotary.ALL, List.of()),
                gemma(Family.GEMMA3_TEXT, Traits.Softcaps.NONE, rotary(0, List.of(), 10_000, 1), Collections.nCopies(32, 8f)),
                new Variant(Family.LLAMA, false, false, 0, List.of(), Collections.nCopies(32, 4f)),
                new Variant(Family.QWEN3, false, false, 0, List.of(), divisors, Traits.of(Family.QWEN3).with(rotary(0, List.of(), 0, 1.2))))) {
            CausalLmConfig config = with(variant);
            assertEquals(config, CausalLmConfig.fromJson(config.toJson(), "config.json"));
        }
    }

    @Test
    void whatNoMemberOfAFamilyHasIsRefused() {
        for (Supplier<Variant> variant : List.<Supplier<Variant>>of(
                () -> new Variant(Family.QWEN2, false, false, 0, List.of(), List.of()),
                () -> new Variant(Family.MISTRAL, true, false, 0, List.of(), List.of()),
                () -> new Variant(Family.QWEN3, false, true, 0, List.of(), List.of()),
                () -> new Variant(Family.LLAMA, false, false, 5, List.of(0), List.of()),
                () -> new Variant(Family.MISTRAL, false, false, 5, List.of(0), List.of()),
                () -> new Variant(Family.QWEN3, false, false, 5, List.of(30), List.of()),
                () -> new Variant(Family.QWEN3, false, false, 0, List.of(1), List.of()),
                () -> new Variant(Family.LLAMA, false, false, 0, List.of(), List.of(1f)),
                () -> new Variant(Family.LLAMA, false, false, 0, List.of(), Collections.nCopies(32, Float.NaN)))) {
            assertThrows(UserException.class, () -> with(variant.get()));
        }
    }

    private static Traits.Rotary rotary(int dimensions, List<Integer> unrotated, float localTheta, double factor) {
        return new Traits.Rotary(dimensions, unrotated, localTheta, factor);
    }

    private static Variant gemma(Family family, Traits.Softcaps softcaps, Traits.Rotary rotary, List<Float> divisors) {
        return new Variant(family, false, false, 512, List.of(0, 2), divisors,
                Traits.of(family).with(new Traits.Scales(24, 1, 1 / Math.sqrt(256.0), 1)).with(softcaps).with(rotary));
    }

    private static CausalLmConfig with(Variant variant) {
        return new CausalLmConfig(49152, 576, 1536, 30, 9, 3, 64, 8192, 1e-5f, 100_000f, true, variant);
    }

    @Test
    void whatAConfigurationLeavesOutIsWhatTransformersTakesForIt() {
        String shape = "{\"vocab_size\":8,\"hidden_size\":256,\"intermediate_size\":8,\"num_hidden_layers\":30,"
                + "\"num_attention_heads\":64,\"model_type\":";
        CausalLmConfig mistral = CausalLmConfig.fromJson(shape + "\"mistral\"}", "config.json");
        assertEquals(4096, mistral.slidingWindow(29));
        assertEquals(8, mistral.numKeyValueHeads());
        assertEquals(131_072, mistral.maxPositionEmbeddings());
        assertEquals(0, CausalLmConfig.fromJson(shape + "\"mistral\",\"sliding_window\":null}", "config.json").slidingWindow(0));
        CausalLmConfig qwen2 = CausalLmConfig.fromJson(shape + "\"qwen2\",\"use_sliding_window\":true}", "config.json");
        assertEquals(List.of(28, 29), qwen2.variant().slidingLayers());
        assertEquals(4, qwen2.headDim());
        assertTrue(qwen2.variant().attentionBias());
        CausalLmConfig qwen3 = CausalLmConfig.fromJson(shape + "\"qwen3\",\"sliding_window\":5}", "config.json");
        assertEquals(List.of(), qwen3.variant().slidingLayers());
        assertEquals(128, qwen3.headDim());
        assertTrue(qwen3.headNorms());
    }

    @Test
    void transformersFiveSpellingIsRead() {
        String json = "{\"vocab_size\":8,\"hidden_size\":8,\"intermediate_size\":8,\"num_hidden_layers\":1,"
                + "\"num_attention_heads\":2,\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":500000.0}}";
        CausalLmConfig config = CausalLmConfig.fromJson(json, "config.json");
        assertEquals(500_000f, config.ropeTheta());
        assertEquals(2, config.numKeyValueHeads());
        assertEquals(4, config.headDim());
    }

    @Test
    void aLlama3sScalingIsWrittenAsSuch() {
        String json = CONFIG.toJson().replace("\"mlp_bias\": false", "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0, "
                + "\"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}");
        CausalLmConfig config = CausalLmConfig.fromJson(json, "config.json");
        assertEquals(32f, config.variant().ropeDivisors().get(31));
        assertTrue(config.toJson().contains("\"rope_type\": \"llama3\""), config.toJson());
        assertEquals(config, CausalLmConfig.fromJson(config.toJson(), "config.json"));
        // Made for another context: spelled out, or it would be read as what it is not.
        CausalLmConfig other = CausalLmConfig.fromJson(json.replace("8192}", "4096}"), "config.json");
        assertTrue(other.toJson().contains("longrope"), other.toJson());
        assertEquals(other, CausalLmConfig.fromJson(other.toJson(), "config.json"));
    }

    @Test
    void whatTheModelCannotDoIsRefusedByName() {
        for (String[] change : List.of(
                new String[] {"\"llama\"", "\"mamba\"", "model_type"},
                new String[] {"\"silu\"", "\"gelu\"", "hidden_act"},
                new String[] {"\"attention_bias\": false", "\"attention_bias\": 1", "attention_bias"},
                new String[] {"\"hidden_act\"", "\"quantization_config\": {}, \"hidden_act\"", "quantization_config"},
                new String[] {"\"mlp_bias\": false", "\"layer_types\": [\"full_attention\"]", "layer_types"},
                new String[] {"\"mlp_bias\": false", "\"partial_rotary_factor\": 0.5", "partial_rotary_factor"},
                new String[] {"\"mlp_bias\": false", "\"rope_scaling\": {\"type\": \"ntk\"}", "ntk"},
                new String[] {"\"mlp_bias\": false", "\"rope_scaling\": {\"type\": \"yarn\", \"factor\": 0.5}", "factor 0.5"},
                new String[] {"\"mlp_bias\": false", "\"rope_parameters\": {\"full_attention\": {}}", "layer to layer"},
                new String[] {"\"num_key_value_heads\": 3", "\"num_key_value_heads\": 4", "num_key_value_heads"},
                new String[] {"\"num_key_value_heads\": 3", "\"num_key_value_heads\": 0", "num_key_value_heads"},
                new String[] {"\"head_dim\": 64", "\"head_dim\": 63", "head_dim"},
                new String[] {"\"vocab_size\": 49152", "\"vocab_size\": 99999999999", "vocab_size"},
                new String[] {"\"vocab_size\": 49152", "\"vocab_size\": \"many\"", "vocab_size"},
                new String[] {"\"hidden_size\": 576,", "", "hidden_size"},
                new String[] {"\"mlp_bias\": false", "\"rope_scaling\": {\"rope_type\": \"llama3\"}", "factor"})) {
            String json = CONFIG.toJson().replace(change[0], change[1]);
            UserException e = assertThrows(UserException.class, () -> CausalLmConfig.fromJson(json, "config.json"), json);
            assertTrue(e.cause().contains(change[2]), e.cause());
        }
    }
}
