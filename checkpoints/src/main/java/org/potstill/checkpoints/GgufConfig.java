package org.potstill.checkpoints;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.potstill.errors.UserException;

/** The model's shape from GGUF metadata; whatever would change the forward pass and is not supported is refused. */
final class GgufConfig {
    /** Keys that scale something in the forward pass of Llama's relatives; present and not 1, they change the result. */
    private static final List<String> SCALES = List.of("llama.rope.scale_linear", "llama.rope.scaling.factor",
            "llama.rope.scaling.attn_factor", "llama.logit_scale", "llama.embedding_scale", "llama.residual_scale");

    private final Path path;
    private final Map<String, Object> metadata;

    private GgufConfig(Path path, Map<String, Object> metadata) {
        this.path = path;
        this.metadata = metadata;
    }

    static CausalLmConfig read(Path path, GgufHeader header) {
        GgufConfig config = new GgufConfig(path, header.metadata());
        try {
            return config.read(header);
        } catch (UserException e) {
            throw e.problem().contains(path.toString()) ? e : CheckpointErrors.badConfig(path.toString(), e.cause());
        }
    }

    private CausalLmConfig read(GgufHeader header) {
        Object architecture = metadata.get("general.architecture");
        if (architecture == null) {
            throw CheckpointErrors.missingKey(path, "general.architecture");
        }
        if (!"llama".equals(architecture)) {
            throw CheckpointErrors.unsupportedArchitecture(path, architecture);
        }
        refuseWhatChangesTheForwardPass();
        GgufHeader.Tensor embedding = header.tensors().get("token_embd.weight");
        if (embedding == null || embedding.shape().length != 2 || embedding.shape()[0] > Integer.MAX_VALUE) {
            throw CheckpointErrors.missingTensor(path, "token_embd.weight");
        }
        int hiddenSize = integer("llama.embedding_length", null);
        int heads = integer("llama.attention.head_count", null);
        if (heads < 1) {
            throw CheckpointErrors.badConfig(path.toString(), "llama.attention.head_count is " + heads);
        }
        int headDim = integer("llama.attention.key_length", hiddenSize / heads);
        requireEqual("llama.attention.value_length", headDim);
        requireEqual("llama.rope.dimension_count", headDim);
        int vocabSize = (int) embedding.shape()[0];
        requireEqual("llama.vocab_size", vocabSize);
        return new CausalLmConfig(
                vocabSize,
                hiddenSize,
                integer("llama.feed_forward_length", null),
                integer("llama.block_count", null),
                heads,
                integer("llama.attention.head_count_kv", heads),
                headDim,
                integer("llama.context_length", null),
                (float) real("llama.attention.layer_norm_rms_epsilon", null),
                (float) real("llama.rope.freq_base", 10_000.0),
                !header.tensors().containsKey("output.weight"));
    }

    private void refuseWhatChangesTheForwardPass() {
        Object scaling = metadata.get("llama.rope.scaling.type");
        if (scaling != null && !"none".equals(scaling)) {
            throw CheckpointErrors.unsupportedFeature(path, "rotary embedding scaled by \"" + scaling + "\"",
                    "llama.rope.scaling.type");
        }
        for (String key : SCALES) {
            Object factor = metadata.get(key);
            if (factor != null && !(factor instanceof Double d && (d == 1 || d == 0))) {
                throw CheckpointErrors.unsupportedFeature(path, "a scale of " + factor, key);
            }
        }
        Object experts = metadata.get("llama.expert_count");
        if (experts != null && !Long.valueOf(0).equals(experts)) {
            throw CheckpointErrors.unsupportedFeature(path, "a mixture of " + experts + " experts", "llama.expert_count");
        }
    }

    private void requireEqual(String key, int expected) {
        int value = integer(key, expected);
        if (value != expected) {
            throw CheckpointErrors.unsupportedFeature(path, value + " where " + expected + " was expected", key);
        }
    }

    private int integer(String key, Integer fallback) {
        Object value = metadata.get(key);
        if (value == null && fallback == null) {
            throw CheckpointErrors.missingKey(path, key);
        }
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Long number) || number < 0 || number > Integer.MAX_VALUE) {
            throw CheckpointErrors.badConfig(path.toString(), key + " is not one whole number from 0 to 2147483647");
        }
        return number.intValue();
    }

    private double real(String key, Double fallback) {
        Object value = metadata.get(key);
        if (value == null && fallback == null) {
            throw CheckpointErrors.missingKey(path, key);
        }
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Number number)) {
            throw CheckpointErrors.badConfig(path.toString(), key + " is not a number");
        }
        return number.doubleValue();
    }
}
