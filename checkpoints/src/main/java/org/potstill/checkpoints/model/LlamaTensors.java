// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/** The tensors of a Llama-family model, by their Hugging Face names. */
public final class LlamaTensors {
    public static final String EMBEDDING = "model.embed_tokens.weight";
    public static final String FINAL_NORM = "model.norm.weight";
    public static final String HEAD = "lm_head.weight";
    /** The router of a mixture of experts, {@code [experts, hiddenSize]}. */
    public static final String ROUTER = "mlp.gate";

    private static final Pattern EXPERT = Pattern.compile("mlp\\.experts\\.[0-9]+\\.");

    private LlamaTensors() {
    }

    /**
     * Returns the name of a layer's weight: {@code layer(3, "self_attn.q_proj")} is {@code
     * model.layers.3.self_attn.q_proj.weight}.
     */
    public static String layer(int layer, String part) {
        return "model.layers." + layer + "." + part + ".weight";
    }

    /** Returns the prefix of an expert's projections within a layer. */
    public static String expert(int expert) {
        return "mlp.experts." + expert + ".";
    }

    /** Returns the name of an expert's projection without the expert's number; other names as they are. */
    static String ofAllExperts(String name) {
        return EXPERT.matcher(name).replaceFirst("mlp.experts.");
    }

    /** Returns the least number of tensors that files of a model of this shape have, for a check before any names are made. */
    public static long least(CausalLmConfig config) {
        return 6L * config.numHiddenLayers() + 2;
    }

    /** Returns whether this is the gain of a norm. */
    public static boolean isGain(String name) {
        return name.endsWith("norm.weight");
    }

    /** Returns the name of a weight's bias. */
    public static String bias(String weight) {
        return weight.substring(0, weight.length() - "weight".length()) + "bias";
    }

    /** Returns the name of the gain of the norm before attention; null in models without one. */
    public static String attentionInputNorm(CausalLmConfig config, int layer) {
        return config.traits().norms().before() ? layer(layer, "input_layernorm") : null;
    }

    /** Returns the name of the gain of the norm after attention; null in models without one. */
    public static String attentionOutputNorm(CausalLmConfig config, int layer) {
        return config.traits().norms().after() ? layer(layer, "post_attention_layernorm") : null;
    }

    /** Returns the name of the gain of the norm before the feed-forward; null in models without one. */
    public static String feedForwardInputNorm(CausalLmConfig config, int layer) {
        return switch (config.traits().norms()) {
            case PRE -> layer(layer, "post_attention_layernorm");
            case POST -> null;
            case BOTH -> layer(layer, "pre_feedforward_layernorm");
        };
    }

    /** Returns the name of the gain of the norm after the feed-forward; null in models without one. */
    public static String feedForwardOutputNorm(CausalLmConfig config, int layer) {
        return config.traits().norms().after() ? layer(layer, "post_feedforward_layernorm") : null;
    }

    /** Returns every tensor of a model of this shape, linear weights as {@code [out, in]}, in forward order. */
    public static Map<String, long[]> shapes(CausalLmConfig config) {
        long hidden = config.hiddenSize();
        long queries = (long) config.numAttentionHeads() * config.headDim();
        long keys = (long) config.numKeyValueHeads() * config.headDim();
        long inner = config.intermediateSize();
        CausalLmConfig.Variant variant = config.variant();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(EMBEDDING, new long[] {config.vocabSize(), hidden});
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            norm(shapes, attentionInputNorm(config, i), hidden);
            linear(shapes, layer(i, "self_attn.q_proj"), queries, hidden, variant.attentionBias());
            linear(shapes, layer(i, "self_attn.k_proj"), keys, hidden, variant.attentionBias());
            linear(shapes, layer(i, "self_attn.v_proj"), keys, hidden, variant.attentionBias());
            if (config.headNorms()) {
                boolean each = config.traits().headNorms() == Traits.HeadNorms.EACH;
                shapes.put(layer(i, "self_attn.q_norm"), new long[] {each ? config.headDim() : queries});
                shapes.put(layer(i, "self_attn.k_norm"), new long[] {each ? config.headDim() : keys});
            }
            linear(shapes, layer(i, "self_attn.o_proj"), hidden, queries, config.outputBias());
            norm(shapes, attentionOutputNorm(config, i), hidden);
            norm(shapes, feedForwardInputNorm(config, i), hidden);
            int experts = config.traits().experts().count();
            if (experts > 0) {
                linear(shapes, layer(i, ROUTER), experts, hidden, false);
            }
            for (int expert = 0; expert < Math.max(1, experts); expert++) {
                String mlp = experts == 0 ? "mlp." : expert(expert);
                linear(shapes, layer(i, mlp + "gate_proj"), inner, hidden, variant.mlpBias());
                linear(shapes, layer(i, mlp + "up_proj"), inner, hidden, variant.mlpBias());
                linear(shapes, layer(i, mlp + "down_proj"), hidden, inner, variant.mlpBias());
            }
            norm(shapes, feedForwardOutputNorm(config, i), hidden);
        }
        shapes.put(FINAL_NORM, new long[] {hidden});
        if (!config.tieWordEmbeddings()) {
            shapes.put(HEAD, new long[] {config.vocabSize(), hidden});
        }
        return shapes;
    }

    /** Returns the number of weights of a model of this shape. */
    public static long parameters(CausalLmConfig config) {
        return shapes(config).values().stream().mapToLong(shape -> Arrays.stream(shape).reduce(1, Math::multiplyExact)).sum();
    }

    private static void norm(Map<String, long[]> shapes, String name, long width) {
        if (name != null) {
            shapes.put(name, new long[] {width});
        }
    }

    private static void linear(Map<String, long[]> shapes, String weight, long out, long in, boolean biased) {
        shapes.put(weight, new long[] {out, in});
        if (biased) {
            shapes.put(bias(weight), new long[] {out});
        }
    }
}
