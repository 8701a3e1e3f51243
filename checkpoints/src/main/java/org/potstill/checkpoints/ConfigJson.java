package org.potstill.checkpoints;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.io.StringWriter;
import java.util.Map;

/** {@link CausalLmConfig} as a Hugging Face {@code config.json}, of transformers 4 and 5. */
final class ConfigJson {
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
        }
    }

    static String write(CausalLmConfig config) {
        StringWriter text = new StringWriter();
        try {
            JsonWriter json = new JsonWriter(text);
            json.setIndent("  ");
            json.beginObject();
            json.name("architectures").beginArray().value("LlamaForCausalLM").endArray();
            json.name("model_type").value("llama");
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
            json.name("attention_bias").value(false);
            json.name("mlp_bias").value(false);
            json.name("torch_dtype").value("float32");
            json.endObject();
            json.flush();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return text + "\n";
    }

    private CausalLmConfig config() throws Json.MalformedException {
        requireDefault("model_type", "llama");
        requireDefault("hidden_act", "silu");
        requireDefault("attention_bias", false);
        requireDefault("mlp_bias", false);
        requirePlainRope("rope_scaling");
        requirePlainRope("rope_parameters");
        int hiddenSize = integer("hidden_size", null);
        int heads = integer("num_attention_heads", null);
        if (heads < 1 || (members.get("head_dim") == null && hiddenSize % heads != 0)) {
            throw CheckpointErrors.badConfig(source,
                    "num_attention_heads " + heads + " does not divide hidden_size " + hiddenSize);
        }
        return new CausalLmConfig(
                integer("vocab_size", null),
                hiddenSize,
                integer("intermediate_size", null),
                integer("num_hidden_layers", null),
                heads,
                integer("num_key_value_heads", heads),
                integer("head_dim", hiddenSize / heads),
                integer("max_position_embeddings", 2048),
                (float) real(members, "rms_norm_eps", 1e-6),
                (float) ropeTheta(),
                Boolean.TRUE.equals(members.get("tie_word_embeddings")));
    }

    private double ropeTheta() throws Json.MalformedException {
        Object parameters = members.get("rope_parameters");
        double theta = real(members, "rope_theta", 10_000);
        return parameters == null ? theta : real(Json.asObject(parameters), "rope_theta", theta);
    }

    private void requireDefault(String key, Object only) {
        Object value = members.get(key);
        if (value != null && !value.equals(only)) {
            throw CheckpointErrors.badConfig(source, key + " is " + value + ", but only " + only + " is supported");
        }
    }

    private void requirePlainRope(String key) throws Json.MalformedException {
        if (members.get(key) == null) {
            return;
        }
        Map<String, Object> rope = Json.asObject(members.get(key));
        Object type = rope.getOrDefault("rope_type", rope.getOrDefault("type", "default"));
        if (!"default".equals(type)) {
            throw CheckpointErrors.badConfig(source, key + " is of type " + type + ", but only default is supported");
        }
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
