// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.Traits;
import org.potstill.errors.UserException;

/** Reader of the model's shape from GGUF metadata; rejects settings that would change the forward pass and are not supported. */
final class GgufConfig {
    /** Scale factors of Granite: in others, values other than 1 would change the result. */
    private static final List<String> SCALES = List.of("logit_scale", "embedding_scale", "residual_scale", "attention.scale");
    private static final String WINDOW = "attention.sliding_window";
    private static final String PATTERN = "attention.sliding_window_pattern";
    private static final String EXPERTS = "expert_count";
    private static final String USED_EXPERTS = "expert_used_count";
    static final String ATTENTION_CAP = "attn_logit_softcapping";
    static final String LOGITS_CAP = "final_logit_softcapping";
    /** The rhythm of layers without rotary embedding in llama.cpp's SmolLM3. */
    static final int SMOLLM3_PERIOD = 4;

    /** What llama.cpp's graphs of these architectures do, in the terms of others': softmax over all, weights that add up to 1. */
    private static final Map<String, List<Object>> ROUTING = Map.of("expert_gating_func", List.of(0L, 1L), "expert_weights_norm", List.of(true),
            "expert_weights_scale", List.of(0.0, 1.0), "expert_group_count", List.of(0L, 1L), "expert_shared_count", List.of(0L));

    private final Path path;
    private final GgufHeader header;
    private final Map<String, Object> metadata;
    /** Architecture's name, the prefix of all keys of the model's shape. */
    private final String architecture;
    private final Family family;

    private GgufConfig(Path path, GgufHeader header) {
        this.path = path;
        this.header = header;
        this.metadata = header.metadata();
        Object type = metadata.getOrDefault("general.type", "model");
        Object name = metadata.get("general.architecture");
        if (!type.equals("model") || "clip".equals(name) || header.tensors().isEmpty()) {
            throw UnsupportedErrors.ggufType(path, "clip".equals(name) ? "mmproj" : type.equals("model") ? "vocab" : String.valueOf(type));
        }
        if (name == null) {
            throw CheckpointErrors.missingKey(path, "general.architecture");
        }
        this.architecture = String.valueOf(name);
        // A Llama with experts is a Mixtral, and one with a sliding window a Mistral.
        Family named = Arrays.stream(Family.values()).filter(each -> architecture(each).equals(name)).findFirst()
                .orElseThrow(() -> CheckpointErrors.unsupportedArchitecture(path, name));
        this.family = named != Family.LLAMA ? named : integer(EXPERTS, 0) > 0 ? Family.MIXTRAL : integer(WINDOW, 0) > 0 ? Family.MISTRAL : named;
    }

    /** Returns GGUF's name of a family's architecture. */
    static String architecture(Family family) {
        return switch (family) {
            case MISTRAL, MIXTRAL -> "llama";
            case GEMMA3_TEXT -> "gemma3";
            case QWEN3_MOE -> "qwen3moe";
            default -> family.name().toLowerCase(Locale.ROOT);
        };
    }

    static CausalLmConfig read(Path path, GgufHeader header) {
        try {
            return new GgufConfig(path, header).read();
        } catch (UserException e) {
            throw e.problem().contains(path.toString()) ? e
                    : CheckpointErrors.badMetadata(path, e.cause());
        }
    }

    private CausalLmConfig read() {
        refuseWhatChangesTheForwardPass();
        GgufHeader.Tensor embedding = header.tensors().get("token_embd.weight");
        if (embedding == null || embedding.shape().length != 2 || embedding.shape()[0] > Integer.MAX_VALUE) {
            throw CheckpointErrors.missingTensor(path, "token_embd.weight");
        }
        int hiddenSize = integer("embedding_length", null);
        int heads = integer("attention.head_count", null);
        if (heads < 1) {
            throw CheckpointErrors.badMetadata(path, architecture + ".attention.head_count is " + heads);
        }
        int headDim = integer("attention.key_length", hiddenSize / heads);
        requireEqual("attention.value_length", headDim);
        GgufRope rope = new GgufRope(this, header, headDim);
        // The table takes precedence over vocab_size: it may have been padded or cut later.
        int vocabSize = (int) embedding.shape()[0];
        int layers = integer("block_count", null);
        return new CausalLmConfig(
                vocabSize,
                hiddenSize,
                innerSize(),
                layers,
                heads,
                integer("attention.head_count_kv", heads),
                headDim,
                rope.positions(integer("context_length", null)),
                (float) real("attention.layer_norm_rms_epsilon", null),
                (float) rope.theta(),
                !header.tensors().containsKey("output.weight"),
                variant(layers, hiddenSize, heads, headDim, rope));
    }

    /** Returns the inner width of the feed-forward, or of each expert; Qwen3-MoE's expert is as wide as its share if the file does not say it. */
    private int innerSize() {
        int inner = family == Family.QWEN3_MOE ? integer("expert_feed_forward_length", 0) : 0;
        return inner > 0 ? inner : integer("feed_forward_length", null) / (family == Family.QWEN3_MOE ? Math.max(1, integer(USED_EXPERTS, null)) : 1);
    }

    /** Returns the variant: biases and divisors exist if their tensors do. */
    private Variant variant(int layers, int hiddenSize, int heads, int headDim, GgufRope rope) {
        int window = integer(WINDOW, 0);
        if (window > 0 && (!family.slides() || family == Family.QWEN2 || family == Family.QWEN3 || family == Family.SMOLLM3
                || !family.isGemma() && metadata.containsKey(architecture + "." + PATTERN))) {
            throw unsupported("a sliding window in some of the layers", architecture + "." + WINDOW);
        }
        int some = Math.min(layers, CausalLmConfig.MAX_LAYERS);
        List<Integer> slidingLayers = IntStream.range(0, window == 0 ? 0 : some).filter(layer -> !family.isGemma() || slides(layer)).boxed().toList();
        List<Integer> unrotated = IntStream.range(0, family == Family.SMOLLM3 ? some : 0).filter(layer -> (layer + 1) % SMOLLM3_PERIOD == 0)
                .boxed().toList();
        return new Variant(family, family == Family.QWEN2 || header.tensors().containsKey("blk.0.attn_q.bias"),
                header.tensors().containsKey("blk.0.ffn_gate.bias"), slidingLayers.isEmpty() ? 0 : window, slidingLayers, rope.divisors(),
                traits(layers, hiddenSize, heads, headDim).with(rope.rotary(unrotated)));
    }

    /** Returns whether a Gemma's layer slides: as listed, or all but every second (Gemma 2) or sixth one, or every so many as given. */
    private boolean slides(int layer) {
        Object pattern = metadata.get(architecture + "." + PATTERN);
        if (pattern instanceof long[] listed) {
            return layer < listed.length && listed[layer] != 0;
        }
        int period = integer(PATTERN, family == Family.GEMMA2 ? 2 : 6);
        return period < 1 || (layer + 1) % period != 0;
    }

    private Traits traits(int layers, int hiddenSize, int heads, int headDim) {
        Traits traits = Traits.of(family);
        if (family == Family.GRANITE) {
            return traits.with(new Traits.Scales(scale("embedding_scale"), scale("residual_scale"), real("attention.scale", 0.0),
                    1 / scale("logit_scale")));
        }
        if (family == Family.MIXTRAL || family == Family.QWEN3_MOE) {
            // As in llama.cpp, the weights of those chosen add up to 1, which the file does not say.
            return traits.with(new Traits.Experts(integer(EXPERTS, null), integer(USED_EXPERTS, null), true));
        }
        if (!family.isGemma()) {
            return traits;
        }
        // As in llama.cpp: the models of 27 billion parameters are the ones with another scale, which the file does not have.
        boolean large = layers == (family == Family.GEMMA2 ? 46 : 62);
        return traits.with(new Traits.Scales(Math.sqrt(hiddenSize), 1, 1 / Math.sqrt(large ? (double) hiddenSize / heads : headDim), 1))
                .with(new Traits.Softcaps(real(ATTENTION_CAP, family == Family.GEMMA2 ? 50.0 : 0.0),
                        real(LOGITS_CAP, family == Family.GEMMA2 ? 30.0 : 0.0)));
    }

    /** Returns a scale for which 0 means 1. */
    private double scale(String suffix) {
        double value = real(suffix, 1.0);
        return value == 0 ? 1 : value;
    }

    private void refuseWhatChangesTheForwardPass() {
        for (String suffix : family == Family.GRANITE ? List.<String>of() : SCALES) {
            String key = architecture + "." + suffix;
            Object factor = metadata.get(key);
            if (factor != null && !(factor instanceof Double d && (d == 1 || d == 0))) {
                throw unsupported("a scale of " + factor, key);
            }
        }
        for (String suffix : family.isGemma() ? List.<String>of() : List.of(ATTENTION_CAP, LOGITS_CAP)) {
            if (real(suffix, 0.0) != 0) {
                throw unsupported("a softcap", architecture + "." + suffix);
            }
        }
        // In llama.cpp's Granite, this turns the rotary embedding off.
        if (family == Family.GRANITE && Boolean.FALSE.equals(metadata.get(architecture + ".rope.scaling.finetuned"))) {
            throw unsupported("no rotary embedding", architecture + ".rope.scaling.finetuned");
        }
        if (family != Family.MIXTRAL && family != Family.QWEN3_MOE && integer(EXPERTS, 0) > 0) {
            throw unsupported("a mixture of " + integer(EXPERTS, 0) + " experts", EXPERTS);
        }
        ROUTING.forEach((suffix, usual) -> {
            Object value = metadata.get(architecture + "." + suffix);
            if (value != null && !usual.contains(value)) {
                throw unsupported("a mixture of experts with " + suffix + " " + value, suffix);
            }
        });
    }

    Family family() {
        return family;
    }

    Path path() {
        return path;
    }

    /** Makes an error about a setting that would change the forward pass. */
    UserException unsupported(String feature, String key) {
        return CheckpointErrors.unsupportedFeature(path, feature, key.startsWith(architecture + ".") ? key : architecture + "." + key);
    }

    String string(String suffix, String fallback) {
        Object value = metadata.get(architecture + "." + suffix);
        return value == null ? fallback : String.valueOf(value);
    }

    void requireEqual(String suffix, int expected) {
        int value = integer(suffix, expected);
        if (value != expected) {
            throw CheckpointErrors.unsupportedFeature(path, value + " where " + expected + " was expected",
                    architecture + "." + suffix);
        }
    }

    int integer(String suffix, Integer fallback) {
        String key = architecture + "." + suffix;
        Object value = metadata.get(key);
        if (value == null && fallback == null) {
            throw CheckpointErrors.missingKey(path, key);
        }
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Long number) || number < 0 || number > Integer.MAX_VALUE) {
            throw CheckpointErrors.badMetadata(path, key + " is not one whole number from 0 to 2147483647");
        }
        return number.intValue();
    }

    double real(String suffix, Double fallback) {
        String key = architecture + "." + suffix;
        Object value = metadata.get(key);
        if (value == null && fallback == null) {
            throw CheckpointErrors.missingKey(path, key);
        }
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Number number)) {
            throw CheckpointErrors.badMetadata(path, key + " is not a number");
        }
        return number.doubleValue();
    }
}
