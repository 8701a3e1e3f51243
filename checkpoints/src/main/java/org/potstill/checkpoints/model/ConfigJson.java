// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig.Family;
import org.potstill.checkpoints.model.CausalLmConfig.Variant;
import org.potstill.errors.UserException;

/**
 * {@link CausalLmConfig} as a Hugging Face {@code config.json}, of transformers 4 and 5. What the file leaves out is
 * what transformers takes for it, family by family.
 */
public final class ConfigJson {
    private static final String FULL = "full_attention";
    private static final String SLIDING = "sliding_attention";

    private final Map<String, Object> members;
    private final String source;

    private ConfigJson(Map<String, Object> members, String source) {
        this.members = members;
        this.source = source;
    }

    static CausalLmConfig read(String json, String source) {
        try {
            return new ConfigJson(ofText(Json.object(json)), source).config();
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badConfig(source, e.getMessage());
        } catch (UserException e) {
            throw e.problem().contains(source) ? e : CheckpointErrors.badConfig(source, e.cause());
        }
    }

    /** Returns the members of the language model; in a multimodal model they are in an object of their own. */
    public static Map<String, Object> ofText(Map<String, Object> members) throws Json.MalformedException {
        if (members.get("text_config") == null || members.containsKey("hidden_size")) {
            return members;
        }
        Map<String, Object> text = new LinkedHashMap<>(Json.asObject(members.get("text_config")));
        for (String shared : List.of("tie_word_embeddings", "quantization_config")) {
            if (members.containsKey(shared)) {
                text.putIfAbsent(shared, members.get(shared));
            }
        }
        return text;
    }

    static String write(CausalLmConfig config) {
        Variant variant = config.variant();
        StringWriter text = new StringWriter();
        try {
            JsonWriter json = new JsonWriter(text);
            json.setIndent("  ");
            json.beginObject();
            json.name("architectures").beginArray().value(architecture(variant.family())).endArray();
            json.name("model_type").value(modelType(variant.family()));
            json.name("vocab_size").value(config.vocabSize());
            json.name("hidden_size").value(config.hiddenSize());
            json.name("intermediate_size").value(config.intermediateSize());
            json.name("num_hidden_layers").value(config.numHiddenLayers());
            json.name("num_attention_heads").value(config.numAttentionHeads());
            json.name("num_key_value_heads").value(config.numKeyValueHeads());
            json.name("head_dim").value(config.headDim());
            json.name("max_position_embeddings").value(config.maxPositionEmbeddings());
            json.name("rms_norm_eps").value(decimal(config.rmsNormEps()));
            json.name("rope_theta").value(decimal(config.ropeTheta()));
            json.name("tie_word_embeddings").value(config.tieWordEmbeddings());
            json.name("hidden_act").value("silu");
            json.name("attention_bias").value(variant.attentionBias());
            json.name("mlp_bias").value(variant.mlpBias());
            writeWindow(json, config);
            RopeJson.write(json, config);
            json.name("torch_dtype").value("float32");
            json.endObject();
            json.flush();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return text + "\n";
    }

    private static void writeWindow(JsonWriter json, CausalLmConfig config) throws IOException {
        Variant variant = config.variant();
        if (variant.family() == Family.LLAMA) {
            return;
        }
        boolean slides = !variant.slidingLayers().isEmpty();
        json.name("sliding_window");
        if (!slides) {
            json.nullValue();
        } else {
            json.value(variant.slidingWindow());
        }
        if (variant.family() == Family.MISTRAL) {
            return;
        }
        json.name("use_sliding_window").value(slides);
        json.name("layer_types").beginArray();
        for (int layer = 0; layer < config.numHiddenLayers(); layer++) {
            json.value(config.slidingWindow(layer) > 0 ? SLIDING : FULL);
        }
        json.endArray();
    }

    private CausalLmConfig config() throws Json.MalformedException {
        Family family = family();
        requireDefault("hidden_act", "silu");
        if (members.get("quantization_config") != null) {
            Object method = members.get("quantization_config") instanceof Map<?, ?> settings ? settings.get("quant_method") : null;
            throw UnsupportedErrors.quantised(source, method == null ? "quantization_config" : method);
        }
        requireDefault("rope_interleaved", false);
        int hiddenSize = integer("hidden_size", null);
        int heads = integer("num_attention_heads", null);
        int layers = integer("num_hidden_layers", null);
        if (heads < 1 || (members.get("head_dim") == null && hiddenSize % heads != 0)) {
            throw CheckpointErrors.badConfig(source,
                    "num_attention_heads " + heads + " does not divide hidden_size " + hiddenSize);
        }
        int headDim = integer("head_dim", family == Family.QWEN3 && !members.containsKey("head_dim") ? 128 : hiddenSize / heads);
        int maxPositions = integer("max_position_embeddings", switch (family) {
            case LLAMA -> 2048;
            case MISTRAL -> 131_072;
            case QWEN2, QWEN3 -> 32_768;
        });
        RopeJson rope = new RopeJson(members, source);
        List<Integer> slidingLayers = slidingLayers(family, layers);
        Variant variant = new Variant(family,
                family == Family.QWEN2 || (family != Family.MISTRAL && flag("attention_bias")),
                family == Family.LLAMA && flag("mlp_bias"),
                slidingLayers.isEmpty() ? 0 : integer("sliding_window", 4096),
                slidingLayers, rope.divisors(headDim, maxPositions));
        return new CausalLmConfig(
                integer("vocab_size", null),
                hiddenSize,
                integer("intermediate_size", null),
                layers,
                heads,
                integer("num_key_value_heads", members.containsKey("num_key_value_heads") ? heads : switch (family) {
                    case LLAMA -> heads;
                    case MISTRAL -> 8;
                    case QWEN2, QWEN3 -> 32;
                }),
                headDim,
                maxPositions,
                (float) real(members, "rms_norm_eps", 1e-6, source),
                (float) rope.theta(),
                flag("tie_word_embeddings"),
                variant);
    }

    private Family family() {
        Object modelType = members.getOrDefault("model_type", "llama");
        for (Family family : Family.values()) {
            if (modelType(family).equals(modelType)) {
                return family;
            }
        }
        throw UnsupportedErrors.architecture(source, modelType);
    }

    private static String modelType(Family family) {
        return family.name().toLowerCase(Locale.ROOT);
    }

    private static String architecture(Family family) {
        String type = modelType(family);
        return Character.toUpperCase(type.charAt(0)) + type.substring(1) + "ForCausalLM";
    }

    /** Transformers: Llama has no window, Mistral has it in all layers, Qwen from layer max_window_layers on or as listed. */
    private List<Integer> slidingLayers(Family family, int layers) {
        boolean qwen = family == Family.QWEN2 || family == Family.QWEN3;
        boolean window = family != Family.LLAMA && (!qwen || flag("use_sliding_window"))
                && (members.get("sliding_window") != null || !members.containsKey("sliding_window"));
        int first = qwen ? integer("max_window_layers", 28) : 0;
        List<Integer> sliding = window
                ? IntStream.range(first, Math.min(layers, CausalLmConfig.MAX_LAYERS)).boxed().toList() : List.of();
        Object types = members.get("layer_types");
        if (types == null) {
            return sliding;
        }
        List<Integer> listed = listedLayers(types, layers);
        if (!listed.isEmpty() && !window) {
            throw CheckpointErrors.badConfig(source, "layer_types has sliding layers, but there is no sliding window");
        }
        if (!qwen && !listed.equals(sliding)) {
            throw CheckpointErrors.badConfig(source, "layer_types of " + modelType(family) + " differ from each other");
        }
        return listed;
    }

    private List<Integer> listedLayers(Object types, int layers) {
        if (!(types instanceof List<?> list) || list.size() != layers) {
            throw CheckpointErrors.badConfig(source, "layer_types does not list " + layers + " layers");
        }
        List<Integer> sliding = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            if (SLIDING.equals(list.get(i))) {
                sliding.add(i);
            } else if (!FULL.equals(list.get(i))) {
                throw UnsupportedErrors.feature(source, "layer_types has " + list.get(i) + ", and what is read natively is " + FULL
                        + " and " + SLIDING);
            }
        }
        return sliding;
    }

    private void requireDefault(String key, Object only) {
        Object value = members.get(key);
        if (value != null && !value.equals(only)) {
            throw UnsupportedErrors.feature(source, key + " is " + value + ", and what is read natively is " + only);
        }
    }

    private boolean flag(String key) {
        Object value = members.get(key);
        if (value != null && !(value instanceof Boolean)) {
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", neither true nor false");
        }
        return Boolean.TRUE.equals(value);
    }

    private int integer(String key, Integer fallback) {
        Object value = members.get(key);
        if (value == null && fallback != null) {
            return fallback;
        }
        if (!(value instanceof Long number) || number < 0 || number > Integer.MAX_VALUE) {
            throw CheckpointErrors.badConfig(source, key + (value == null ? " is missing" : " is " + value + ", not a whole number"));
        }
        return number.intValue();
    }

    static double real(Map<String, Object> from, String key, double fallback, String source) {
        Object value = from.get(key);
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Number number)) {
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", not a number");
        }
        return number.doubleValue();
    }

    /** Returns the shortest decimal for this float: 1.0E-5, not 9.999999747378752E-6. */
    static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }
}
