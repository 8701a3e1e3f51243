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
            json.name("architectures").beginArray().value(FamilyJson.architecture(variant.family())).endArray();
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
            FamilyJson.write(json, config);
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
        if (!variant.family().slides()) {
            return;
        }
        boolean slides = !variant.slidingLayers().isEmpty();
        json.name("sliding_window");
        if (!slides) {
            json.nullValue();
        } else {
            json.value(variant.slidingWindow());
        }
        if (variant.family().slidesThroughout()) {
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
        FamilyJson own = new FamilyJson(this, family);
        own.requireActivation();
        if (members.get("quantization_config") != null) {
            Object method = members.get("quantization_config") instanceof Map<?, ?> settings ? settings.get("quant_method") : null;
            throw UnsupportedErrors.quantised(source, method == null ? "quantization_config" : method);
        }
        requireDefault("rope_interleaved", false);
        int hiddenSize = integer("hidden_size", null);
        int heads = integer("num_attention_heads", own.heads());
        int layers = integer("num_hidden_layers", null);
        if (heads < 1 || (members.get("head_dim") == null && hiddenSize % heads != 0)) {
            throw CheckpointErrors.badConfig(source,
                    "num_attention_heads " + heads + " does not divide hidden_size " + hiddenSize);
        }
        int headDim = integer("head_dim", own.headDim(hiddenSize / heads));
        int maxPositions = integer("max_position_embeddings", own.positions());
        RopeJson rope = new RopeJson(members, source, family, headDim, maxPositions);
        List<Integer> unrotated = own.unrotatedLayers(layers);
        List<Integer> slidingLayers = slidingLayers(family, layers, unrotated);
        Variant variant = new Variant(family,
                family == Family.QWEN2 || (family != Family.MISTRAL && family != Family.PHI3 && family != Family.MIXTRAL && flag("attention_bias")),
                (family == Family.LLAMA || family == Family.SMOLLM3 || family == Family.GRANITE) && flag("mlp_bias"),
                slidingLayers.isEmpty() ? 0 : integer("sliding_window", 4096),
                slidingLayers, rope.divisors(), own.traits(hiddenSize).with(rope.rotary(unrotated)));
        return new CausalLmConfig(
                integer("vocab_size", own.vocabSize()),
                hiddenSize,
                integer(own.innerSize(), null),
                layers,
                heads,
                integer("num_key_value_heads", own.keyValueHeads(heads)),
                headDim,
                rope.positions(),
                (float) real("rms_norm_eps", own.epsilon()),
                (float) rope.theta(),
                own.tied(),
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

    static String modelType(Family family) {
        return family.name().toLowerCase(Locale.ROOT);
    }

    /**
     * Transformers: Mistral and Phi-3 have a window in all layers, Qwen from layer max_window_layers on, SmolLM3 in those without
     * rotary embedding, Gemma in most, or as listed.
     */
    private List<Integer> slidingLayers(Family family, int layers, List<Integer> unrotated) {
        boolean asked = family == Family.QWEN2 || family == Family.QWEN3 || family == Family.SMOLLM3;
        boolean withoutSaying = family != Family.PHI3 && family != Family.SMOLLM3 && family != Family.MIXTRAL;
        boolean window = family.slides() && (!asked || flag("use_sliding_window"))
                && (members.get("sliding_window") != null || withoutSaying && !members.containsKey("sliding_window"));
        int period = family == Family.GEMMA2 ? 2 : integer("sliding_window_pattern", integer("_sliding_window_pattern", 6));
        int first = asked ? integer("max_window_layers", 28) : 0;
        List<Integer> sliding = !window ? List.of() : IntStream.range(0, Math.min(layers, CausalLmConfig.MAX_LAYERS)).filter(layer -> switch (family) {
            case SMOLLM3 -> unrotated.contains(layer);
            case GEMMA2, GEMMA3_TEXT -> (layer + 1) % Math.max(1, period) != 0;
            default -> layer >= first;
        }).boxed().toList();
        Object types = members.get("layer_types");
        if (types == null) {
            return sliding;
        }
        List<Integer> listed = listedLayers(types, layers);
        if (!listed.isEmpty() && !window) {
            throw CheckpointErrors.badConfig(source, "layer_types has sliding layers, but there is no sliding window");
        }
        if ((family.slidesThroughout() || !family.slides()) && !listed.equals(sliding)) {
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

    void requireDefault(String key, Object only) {
        Object value = members.get(key);
        if (value != null && !value.equals(only)) {
            throw UnsupportedErrors.feature(source, key + " is " + value + ", and what is read natively is " + only);
        }
    }

    boolean has(String key) {
        return members.containsKey(key);
    }

    Object member(String key) {
        return members.get(key);
    }

    String source() {
        return source;
    }

    double real(String key, double fallback) {
        return real(members, key, fallback, source);
    }

    boolean flag(String key) {
        Object value = members.get(key);
        if (value != null && !(value instanceof Boolean)) {
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", neither true nor false");
        }
        return Boolean.TRUE.equals(value);
    }

    int integer(String key, Integer fallback) {
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
