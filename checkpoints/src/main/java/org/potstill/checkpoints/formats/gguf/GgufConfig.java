// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.formats.gguf;

import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.TensorReader;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.checkpoints.model.LlamaTensors;
import org.potstill.errors.UserException;

/** Reader of the model's shape from GGUF metadata; rejects settings that would change the forward pass and are not supported. */
final class GgufConfig {
    /** Scale factors of Llama's relatives: values other than 1 change the result. */
    private static final List<String> SCALES = List.of("rope.scale_linear", "rope.scaling.factor",
            "rope.scaling.attn_factor", "logit_scale", "embedding_scale", "residual_scale");

    private final Path path;
    private final GgufHeader header;
    private final Map<String, Object> metadata;
    /** Architecture's name, the prefix of all keys of the model's shape. */
    private final String architecture;

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
        if (!List.of("llama", "qwen2", "qwen3").contains(name)) {
            throw CheckpointErrors.unsupportedArchitecture(path, name);
        }
        this.architecture = (String) name;
    }

    /** Returns GGUF's name of a family's architecture. */
    static String architecture(Family family) {
        return switch (family) {
            case MISTRAL -> "llama";
            case GEMMA3_TEXT -> "gemma3";
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
        requireEqual("rope.dimension_count", headDim);
        // The table takes precedence over vocab_size: it may have been padded or cut later.
        int vocabSize = (int) embedding.shape()[0];
        int layers = integer("block_count", null);
        return new CausalLmConfig(
                vocabSize,
                hiddenSize,
                integer("feed_forward_length", null),
                layers,
                heads,
                integer("attention.head_count_kv", heads),
                headDim,
                integer("context_length", null),
                (float) real("attention.layer_norm_rms_epsilon", null),
                (float) real("rope.freq_base", 10_000.0),
                !header.tensors().containsKey("output.weight"),
                variant(layers, headDim));
    }

    /** Returns the variant: biases and divisors exist if their tensors do; a Llama with a sliding window is a Mistral. */
    private Variant variant(int layers, int headDim) {
        int window = integer("attention.sliding_window", 0);
        Family family = switch (architecture) {
            case "qwen2" -> Family.QWEN2;
            case "qwen3" -> Family.QWEN3;
            default -> window > 0 ? Family.MISTRAL : Family.LLAMA;
        };
        if (window > 0 && (family != Family.MISTRAL || metadata.containsKey(architecture + ".attention.sliding_window_pattern"))) {
            throw CheckpointErrors.unsupportedFeature(path, "a sliding window in some of the layers",
                    architecture + ".attention.sliding_window");
        }
        List<Integer> slidingLayers = window == 0 ? List.of()
                : IntStream.range(0, Math.min(layers, CausalLmConfig.MAX_LAYERS)).boxed().toList();
        return new Variant(family, family == Family.QWEN2 || header.tensors().containsKey("blk.0.attn_q.bias"),
                header.tensors().containsKey("blk.0.ffn_gate.bias"), window, slidingLayers, ropeDivisors(headDim));
    }

    private List<Float> ropeDivisors(int headDim) {
        GgufHeader.Tensor tensor = header.tensors().get(LlamaTensors.GGML_ROPE_DIVISORS);
        if (tensor == null) {
            return List.of();
        }
        if (!Arrays.equals(tensor.shape(), new long[] {headDim / 2})) {
            throw CheckpointErrors.wrongShape(path, tensor.name(), tensor.shape(), new long[] {headDim / 2});
        }
        float[] divisors = new float[headDim / 2];
        TensorReader.read(tensor.file(), tensor.type(), tensor.offset(), divisors.length, FloatBuffer.wrap(divisors));
        List<Float> list = new ArrayList<>();
        for (float divisor : divisors) {
            list.add(divisor);
        }
        return list;
    }

    private void refuseWhatChangesTheForwardPass() {
        Object scaling = metadata.get(architecture + ".rope.scaling.type");
        if (scaling != null && !"none".equals(scaling)) {
            throw CheckpointErrors.unsupportedFeature(path, "rotary embedding scaled by \"" + scaling + "\"",
                    architecture + ".rope.scaling.type");
        }
        for (String suffix : SCALES) {
            String key = architecture + "." + suffix;
            Object factor = metadata.get(key);
            if (factor != null && !(factor instanceof Double d && (d == 1 || d == 0))) {
                throw CheckpointErrors.unsupportedFeature(path, "a scale of " + factor, key);
            }
        }
        String expertCount = architecture + ".expert_count";
        Object experts = metadata.get(expertCount);
        if (experts != null && !Long.valueOf(0).equals(experts)) {
            throw CheckpointErrors.unsupportedFeature(path, "a mixture of " + experts + " experts", expertCount);
        }
    }

    private void requireEqual(String suffix, int expected) {
        int value = integer(suffix, expected);
        if (value != expected) {
            throw CheckpointErrors.unsupportedFeature(path, value + " where " + expected + " was expected",
                    architecture + "." + suffix);
        }
    }

    private int integer(String suffix, Integer fallback) {
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

    private double real(String suffix, Double fallback) {
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
