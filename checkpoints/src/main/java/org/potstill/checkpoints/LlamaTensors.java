package org.potstill.checkpoints;

import java.util.LinkedHashMap;
import java.util.Map;

/** The tensors of a Llama-family model, by their Hugging Face names. */
public final class LlamaTensors {
    public static final String EMBEDDING = "model.embed_tokens.weight";
    public static final String FINAL_NORM = "model.norm.weight";
    public static final String HEAD = "lm_head.weight";

    private static final Map<String, String> GGML_LAYER_NAMES = Map.of(
            "attn_norm", "input_layernorm",
            "attn_q", "self_attn.q_proj",
            "attn_k", "self_attn.k_proj",
            "attn_v", "self_attn.v_proj",
            "attn_output", "self_attn.o_proj",
            "ffn_norm", "post_attention_layernorm",
            "ffn_gate", "mlp.gate_proj",
            "ffn_up", "mlp.up_proj",
            "ffn_down", "mlp.down_proj");

    private LlamaTensors() {
    }

    /** E.g. {@code layer(3, "self_attn.q_proj")} is {@code model.layers.3.self_attn.q_proj.weight}. */
    public static String layer(int layer, String part) {
        return "model.layers." + layer + "." + part + ".weight";
    }

    /** Every tensor that a model of this shape has, linear weights as {@code [out, in]}, in forward order. */
    public static Map<String, long[]> shapes(CausalLmConfig config) {
        long hidden = config.hiddenSize();
        long queries = (long) config.numAttentionHeads() * config.headDim();
        long keys = (long) config.numKeyValueHeads() * config.headDim();
        long inner = config.intermediateSize();
        Map<String, long[]> shapes = new LinkedHashMap<>();
        shapes.put(EMBEDDING, new long[] {config.vocabSize(), hidden});
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            shapes.put(layer(i, "input_layernorm"), new long[] {hidden});
            shapes.put(layer(i, "self_attn.q_proj"), new long[] {queries, hidden});
            shapes.put(layer(i, "self_attn.k_proj"), new long[] {keys, hidden});
            shapes.put(layer(i, "self_attn.v_proj"), new long[] {keys, hidden});
            shapes.put(layer(i, "self_attn.o_proj"), new long[] {hidden, queries});
            shapes.put(layer(i, "post_attention_layernorm"), new long[] {hidden});
            shapes.put(layer(i, "mlp.gate_proj"), new long[] {inner, hidden});
            shapes.put(layer(i, "mlp.up_proj"), new long[] {inner, hidden});
            shapes.put(layer(i, "mlp.down_proj"), new long[] {hidden, inner});
        }
        shapes.put(FINAL_NORM, new long[] {hidden});
        if (!config.tieWordEmbeddings()) {
            shapes.put(HEAD, new long[] {config.vocabSize(), hidden});
        }
        return shapes;
    }

    /** The Hugging Face name of a ggml tensor, or null for one that a plain Llama does not have. */
    static String ofGgml(String name) {
        switch (name) {
            case "token_embd.weight":
                return EMBEDDING;
            case "output_norm.weight":
                return FINAL_NORM;
            case "output.weight":
                return HEAD;
            default:
                String[] parts = name.split("\\.");
                if (parts.length != 4 || !parts[0].equals("blk") || !parts[1].matches("0|[1-9][0-9]{0,3}")
                        || !parts[3].equals("weight") || !GGML_LAYER_NAMES.containsKey(parts[2])) {
                    return null;
                }
                return layer(Integer.parseInt(parts[1]), GGML_LAYER_NAMES.get(parts[2]));
        }
    }

    /** The ggml name of a Hugging Face tensor. */
    static String toGgml(String name) {
        switch (name) {
            case EMBEDDING:
                return "token_embd.weight";
            case FINAL_NORM:
                return "output_norm.weight";
            case HEAD:
                return "output.weight";
            default:
                String[] parts = name.split("\\.", 4);
                String part = parts[3].substring(0, parts[3].length() - ".weight".length());
                for (Map.Entry<String, String> entry : GGML_LAYER_NAMES.entrySet()) {
                    if (entry.getValue().equals(part)) {
                        return "blk." + parts[2] + "." + entry.getKey() + ".weight";
                    }
                }
                throw new IllegalArgumentException(name);
        }
    }
}
