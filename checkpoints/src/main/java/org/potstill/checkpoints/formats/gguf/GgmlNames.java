// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.checkpoints.model.StoredForm;
import org.potstill.checkpoints.model.Traits;

/** The names that GGUF files have for a model's stored tensors, see {@link StoredForm}. */
public final class GgmlNames {
    /** Divisors of rotary frequencies, for which Hugging Face has no tensor. */
    static final String ROPE_DIVISORS = "rope_freqs.weight";
    static final String EMBEDDING = "token_embd.weight";
    static final String HEAD = "output.weight";
    /** The first of the experts of files that do not stack them. */
    static final String FIRST_EXPERT = "blk.0.ffn_gate.0.weight";

    private static final Map<String, String> WHOLE = Map.of(EMBEDDING, LlamaTensors.EMBEDDING, "output_norm.weight", LlamaTensors.FINAL_NORM,
            HEAD, LlamaTensors.HEAD);
    private static final Map<String, String> OF_LAYERS = Map.ofEntries(
            Map.entry("attn_norm", "input_layernorm"),
            Map.entry("post_ffw_norm", "post_feedforward_layernorm"),
            Map.entry("attn_q", "self_attn.q_proj"),
            Map.entry("attn_k", "self_attn.k_proj"),
            Map.entry("attn_v", "self_attn.v_proj"),
            Map.entry("attn_q_norm", "self_attn.q_norm"),
            Map.entry("attn_k_norm", "self_attn.k_norm"),
            Map.entry("attn_qkv", "self_attn.qkv_proj"),
            Map.entry("attn_output", "self_attn.o_proj"));
    private static final Map<String, String> PROJECTIONS = Map.of("ffn_gate", "gate_proj", "ffn_up", "up_proj", "ffn_down", "down_proj");
    private static final Pattern GGML = Pattern.compile("blk\\.(0|[1-9][0-9]{0,3})\\.(\\w+)(?:\\.(0|[1-9][0-9]{0,3}))?\\.(weight|bias)");
    private static final Pattern HUGGING_FACE = Pattern.compile("model\\.layers\\.([0-9]+)\\.(?:mlp\\.experts\\.([0-9]+)\\.)?(.+)\\.(weight|bias)");

    private final Map<String, String> huggingFace = new HashMap<>(OF_LAYERS);
    private final Map<String, String> ggml = new HashMap<>();

    public GgmlNames(CausalLmConfig config) {
        Traits.NormPlacement norms = config.traits().norms();
        PROJECTIONS.forEach((name, part) -> huggingFace.put(name, "mlp." + part));
        if (config.variant().family() == Family.PHI3) {
            huggingFace.put("ffn_up", "mlp.gate_up_proj");
        }
        if (config.traits().experts().count() > 0) {
            huggingFace.put("ffn_gate_inp", LlamaTensors.ROUTER);
            PROJECTIONS.forEach((name, part) -> huggingFace.put(name + "_exps", "mlp.experts." + part));
        }
        if (norms.after()) {
            huggingFace.put("post_attention_norm", "post_attention_layernorm");
        }
        if (norms.before()) {
            huggingFace.put("ffn_norm", norms.after() ? "pre_feedforward_layernorm" : "post_attention_layernorm");
        }
        huggingFace.forEach((name, part) -> ggml.put(part, name));
    }

    /** Returns the stored tensor of a ggml name, or null if no model of the family has it. */
    String huggingFace(String name) {
        Matcher matcher = GGML.matcher(name);
        if (!matcher.matches()) {
            return WHOLE.get(name);
        }
        String expert = matcher.group(3);
        String part = expert == null ? huggingFace.get(matcher.group(2)) : PROJECTIONS.get(matcher.group(2));
        String prefix = expert == null ? "" : LlamaTensors.expert(Integer.parseInt(expert));
        return part == null ? null : "model.layers." + matcher.group(1) + "." + prefix + part + "." + matcher.group(4);
    }

    /** Returns the ggml name of a stored tensor. */
    public String ggml(String name) {
        Matcher matcher = HUGGING_FACE.matcher(name);
        if (!matcher.matches()) {
            return WHOLE.entrySet().stream().filter(entry -> entry.getValue().equals(name)).findFirst().orElseThrow().getKey();
        }
        String expert = matcher.group(2);
        String part = expert == null ? ggml.get(matcher.group(3)) : ggml.get("mlp." + matcher.group(3)) + "." + expert;
        return "blk." + matcher.group(1) + "." + part + "." + matcher.group(4);
    }
}
