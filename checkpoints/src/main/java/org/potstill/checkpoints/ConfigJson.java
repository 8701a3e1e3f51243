package org.potstill.checkpoints;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.potstill.checkpoints.CausalLmConfig.Family;
import org.potstill.checkpoints.CausalLmConfig.Variant;
import org.potstill.errors.UserException;

/**
 * {@link CausalLmConfig} as a Hugging Face {@code config.json}, of transformers 4 and 5. What the file leaves out is
 * what transformers takes for it, family by family.
 */
final class ConfigJson {
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
            return new ConfigJson(Json.object(json), source).config();
        } catch (Json.MalformedException e) {
            throw CheckpointErrors.badConfig(source, e.getMessage());
        } catch (UserException e) {
            throw e.problem().contains(source) ? e : CheckpointErrors.badConfig(source, e.cause());
        }
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
            writeRope(json, config);
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

    /** As "longrope", the type that spells the divisors out; whether a sequence is short or long makes no difference. */
    private static void writeRope(JsonWriter json, CausalLmConfig config) throws IOException {
        if (config.variant().ropeDivisors().isEmpty()) {
            return;
        }
        json.name("rope_scaling").beginObject();
        json.name("rope_type").value("longrope");
        for (String name : List.of("short_factor", "long_factor")) {
            json.name(name).beginArray();
            for (float divisor : config.variant().ropeDivisors()) {
                json.value(decimal(divisor));
            }
            json.endArray();
        }
        json.name("factor").value(1.0);
        json.name("attention_factor").value(1.0);
        json.name("original_max_position_embeddings").value(config.maxPositionEmbeddings());
        json.endObject();
    }

    private CausalLmConfig config() throws Json.MalformedException {
        Family family = family();
        requireDefault("hidden_act", "silu");
        requireDefault("quantization_config", null);
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
        Rope rope = new Rope(headDim, maxPositions);
        List<Integer> slidingLayers = slidingLayers(family, layers);
        Variant variant = new Variant(family,
                family == Family.QWEN2 || (family != Family.MISTRAL && flag("attention_bias")),
                family == Family.LLAMA && flag("mlp_bias"),
                slidingLayers.isEmpty() ? 0 : integer("sliding_window", 4096),
                slidingLayers, rope.divisors());
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
                (float) real(members, "rms_norm_eps", 1e-6),
                (float) rope.theta,
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
        throw CheckpointErrors.badConfig(source,
                "model_type is " + modelType + ", but only llama, mistral, qwen2 and qwen3 are supported");
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
                throw CheckpointErrors.badConfig(source, "layer_types has " + list.get(i) + "; only " + FULL + " and "
                        + SLIDING + " are supported");
            }
        }
        return sliding;
    }

    /** What the two generations of transformers say of the rotary embedding; the older name wins there, so here too. */
    private final class Rope {
        private final int headDim;
        private final int maxPositions;
        private final Map<String, Object> parameters;
        private final double theta;

        Rope(int headDim, int maxPositions) throws Json.MalformedException {
            this.headDim = headDim;
            this.maxPositions = maxPositions;
            Object scaling = members.get("rope_scaling");
            boolean older = scaling != null && !Map.of().equals(scaling);
            Object parameters = older ? scaling : members.get("rope_parameters");
            this.parameters = parameters == null ? Map.of() : Json.asObject(parameters);
            this.theta = real(this.parameters, "rope_theta", real(members, "rope_theta", 10_000));
            for (Map<String, Object> from : List.of(this.parameters, members)) {
                double rotated = real(from, "partial_rotary_factor", 1);
                if (rotated != 1) {
                    throw CheckpointErrors.badConfig(source, "partial_rotary_factor is " + rotated + ", but only 1 is supported");
                }
            }
        }

        List<Float> divisors() {
            Object type = parameters.getOrDefault("rope_type", parameters.getOrDefault("type", "default"));
            if (parameters.values().stream().anyMatch(Map.class::isInstance)) {
                type = "different from layer to layer";
            }
            if ("default".equals(type)) {
                return List.of();
            }
            if ("llama3".equals(type)) {
                return llama3();
            }
            if ("longrope".equals(type) && real(parameters, "attention_factor", 0) == 1
                    && parameters.get("short_factor") instanceof List<?> factors
                    && factors.equals(parameters.get("long_factor"))) {
                return factors.stream().map(f -> f instanceof Number n ? n.floatValue() : Float.NaN).toList();
            }
            throw CheckpointErrors.badConfig(source, "rope_scaling is of type " + type
                    + ", but only default and llama3 are supported");
        }

        /**
         * Llama 3.1's rule, as transformers has it: waves that turned fewer than low_freq_factor times in the original
         * context are slowed by factor, those of more than high_freq_factor turns are left, and between is between.
         */
        private List<Float> llama3() {
            double factor = real(parameters, "factor", Double.NaN);
            double low = real(parameters, "low_freq_factor", Double.NaN);
            double high = real(parameters, "high_freq_factor", Double.NaN);
            double context = real(members, "original_max_position_embeddings",
                    real(parameters, "original_max_position_embeddings", maxPositions));
            if (!(factor >= 1 && low > 0 && high > low && context > 0)) {
                throw CheckpointErrors.badConfig(source, "rope_scaling of type llama3 has factor " + factor
                        + ", low_freq_factor " + low + ", high_freq_factor " + high
                        + " and original_max_position_embeddings " + context);
            }
            List<Float> divisors = new ArrayList<>();
            for (int j = 0; j < Math.min(headDim, 1 << 12) / 2; j++) {
                double turns = context / (2 * Math.PI * Math.pow(theta, 2.0 * j / headDim));
                double kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
                divisors.add((float) (1 / ((1 - kept) / factor + kept)));
            }
            return divisors;
        }
    }

    private void requireDefault(String key, Object only) {
        Object value = members.get(key);
        if (value != null && !value.equals(only)) {
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", but only " + only + " is supported");
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
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", not a whole number");
        }
        return number.intValue();
    }

    private double real(Map<String, Object> from, String key, double fallback) {
        Object value = from.get(key);
        if (value == null) {
            return fallback;
        }
        if (!(value instanceof Number number)) {
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", not a number");
        }
        return number.doubleValue();
    }

    /** The shortest decimal that is this float: 1.0E-5, not 9.999999747378752E-6. */
    private static double decimal(float value) {
        return Double.parseDouble(Float.toString(value));
    }
}
