// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig.Family;

/** What sets families apart in a {@code config.json}: members of their own, and what transformers takes for those left out. */
final class FamilyJson {
    private static final String GELU_TANH = "gelu_pytorch_tanh";
    private static final String UNROTATED = "no_rope_layers";

    private final ConfigJson json;
    private final Family family;

    FamilyJson(ConfigJson json, Family family) {
        this.json = json;
        this.family = family;
    }

    static String architecture(Family family) {
        return switch (family) {
            case SMOLLM3 -> "SmolLM3";
            case QWEN3_MOE -> "Qwen3Moe";
            case GEMMA3_TEXT -> "Gemma3";
            default -> family.name().charAt(0) + family.name().substring(1).toLowerCase(Locale.ROOT);
        } + "ForCausalLM";
    }

    void requireActivation() {
        if (family.isGemma()) {
            json.requireDefault("hidden_activation", GELU_TANH);
            if (json.flag("use_bidirectional_attention")) {
                throw UnsupportedErrors.feature(json.source(), "use_bidirectional_attention is true, and what is read natively is causal");
            }
        } else {
            json.requireDefault("hidden_act", "silu");
        }
    }

    /** Returns the head's width of a model that does not say it. */
    int headDim(int otherwise) {
        return switch (family) {
            case QWEN3 -> json.has("head_dim") ? otherwise : 128;
            case GEMMA2, GEMMA3_TEXT -> 256;
            default -> otherwise;
        };
    }

    int positions() {
        return switch (family) {
            case LLAMA, GRANITE, OLMO2 -> 2048;
            case PHI3 -> 4096;
            case GEMMA2 -> 8192;
            case QWEN2, QWEN3, SMOLLM3, QWEN3_MOE -> 32_768;
            case MISTRAL, GEMMA3_TEXT, MIXTRAL -> 131_072;
        };
    }

    /** Returns null where the vocabulary's size must be given; Gemma 3's multimodal models leave out what is the default. */
    Integer vocabSize() {
        return family == Family.GEMMA3_TEXT ? 262_208 : null;
    }

    Integer heads() {
        return family == Family.GEMMA3_TEXT ? 8 : null;
    }

    int keyValueHeads(int heads) {
        return json.has("num_key_value_heads") ? heads : switch (family) {
            case LLAMA, GRANITE, PHI3, OLMO2 -> heads;
            case MISTRAL, MIXTRAL -> 8;
            case QWEN2, QWEN3 -> 32;
            case SMOLLM3, GEMMA2, GEMMA3_TEXT, QWEN3_MOE -> 4;
        };
    }

    double epsilon() {
        return family == Family.PHI3 || family == Family.OLMO2 || family == Family.MIXTRAL ? 1e-5 : 1e-6;
    }

    boolean tied() {
        boolean otherwise = family == Family.SMOLLM3 || family.isGemma();
        return json.member("tie_word_embeddings") == null ? otherwise : json.flag("tie_word_embeddings");
    }

    /** Returns the layers without rotary embedding: {@code no_rope_layers} has 0 for these. */
    List<Integer> unrotatedLayers(int layers) {
        if (family != Family.SMOLLM3) {
            return List.of();
        }
        if (json.member(UNROTATED) == null) {
            int interval = json.integer("no_rope_layer_interval", 4);
            return IntStream.range(0, Math.min(layers, CausalLmConfig.MAX_LAYERS)).filter(i -> interval > 0 && (i + 1) % interval == 0).boxed().toList();
        }
        if (!(json.member(UNROTATED) instanceof List<?> list) || list.size() != layers) {
            throw CheckpointErrors.badConfig(json.source(), UNROTATED + " does not list " + layers + " layers");
        }
        return IntStream.range(0, layers).filter(i -> list.get(i) instanceof Number n && n.intValue() == 0).boxed().toList();
    }

    /** Returns the traits but for the rotary embedding. */
    Traits traits(int hiddenSize) {
        Traits traits = Traits.of(family);
        return switch (family) {
            case GRANITE -> traits.with(new Traits.Scales(json.real("embedding_multiplier", 1), json.real("residual_multiplier", 1),
                    json.real("attention_multiplier", 1), 1 / json.real("logits_scaling", 1)));
            case GEMMA2, GEMMA3_TEXT -> traits
                    .with(new Traits.Scales(Math.sqrt(hiddenSize), 1, 1 / Math.sqrt(json.real("query_pre_attn_scalar", 256)), 1))
                    .with(new Traits.Softcaps(softcap("attn_logit_softcapping", 50), softcap("final_logit_softcapping", 30)));
            case MIXTRAL -> traits.with(new Traits.Experts(json.integer("num_local_experts", 8), json.integer("num_experts_per_tok", 2), true));
            case QWEN3_MOE -> {
                json.requireDefault("decoder_sparse_step", 1L);
                json.requireDefault("mlp_only_layers", List.of());
                json.requireDefault("use_sliding_window", false);
                yield traits.with(new Traits.Experts(json.integer("num_experts", json.integer("num_local_experts", 128)),
                        json.integer("num_experts_per_tok", 8), json.flag("norm_topk_prob")));
            }
            default -> traits;
        };
    }

    /** Returns the member with the inner width of the feed-forward. */
    String innerSize() {
        return family == Family.QWEN3_MOE ? "moe_intermediate_size" : "intermediate_size";
    }

    private double softcap(String key, double ofGemma2) {
        return json.has(key) && json.member(key) == null ? 0 : json.real(key, family == Family.GEMMA2 ? ofGemma2 : 0);
    }

    /** Writes the family's own members. */
    static void write(JsonWriter json, CausalLmConfig config) throws IOException {
        if (config.variant().family().compareTo(Family.SMOLLM3) >= 0) {
            // Transformers' own are those of the published models, and beyond the vocabulary of others.
            for (String token : List.of("pad_token_id", "bos_token_id", "eos_token_id")) {
                json.name(token).nullValue();
            }
        }
        Traits.Scales scales = config.traits().scales();
        switch (config.variant().family()) {
            case GEMMA2, GEMMA3_TEXT -> {
                json.name("hidden_activation").value(GELU_TANH);
                json.name("query_pre_attn_scalar").value(whole(1 / (scales.attention() * scales.attention())));
                softcap(json, "attn_logit_softcapping", config.traits().softcaps().attention());
                softcap(json, "final_logit_softcapping", config.traits().softcaps().logits());
            }
            case GRANITE -> {
                json.name("hidden_act").value("silu");
                json.name("embedding_multiplier").value(scales.embedding());
                json.name("residual_multiplier").value(scales.residual());
                json.name("attention_multiplier").value(config.attentionScale());
                json.name("logits_scaling").value(whole(1 / scales.logits()));
            }
            case SMOLLM3 -> {
                json.name("hidden_act").value("silu");
                json.name(UNROTATED).beginArray();
                for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
                    json.value(config.rotates(layer) ? 1 : 0);
                }
                json.endArray();
            }
            case MIXTRAL, QWEN3_MOE -> {
                json.name("hidden_act").value("silu");
                json.name("num_local_experts").value(config.traits().experts().count());
                json.name("num_experts_per_tok").value(config.traits().experts().perToken());
                json.name("norm_topk_prob").value(config.traits().experts().normalized());
                json.name("moe_intermediate_size").value(config.intermediateSize());
            }
            default -> json.name("hidden_act").value("silu");
        }
    }

    private static void softcap(JsonWriter json, String key, double cap) throws IOException {
        json.name(key);
        if (cap == 0) {
            json.nullValue();
        } else {
            json.value(cap);
        }
    }

    /** Returns the whole number that was meant before an inversion, or else the number itself. */
    private static Number whole(double value) {
        double rounded = Math.rint(value);
        return Math.abs(value - rounded) < 1e-9 * value ? (Number) (long) rounded : (Number) value;
    }
}
