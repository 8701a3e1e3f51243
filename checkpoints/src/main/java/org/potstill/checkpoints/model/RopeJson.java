// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.UnsupportedErrors;

/**
 * What a {@code config.json} says of the rotary embedding, in {@code rope_parameters} (transformers 5) or
 * {@code rope_scaling} and {@code rope_theta} (transformers 4). Where both are there, transformers takes the older one.
 */
final class RopeJson {
    private final Map<String, Object> members;
    private final Map<String, Object> parameters;
    private final String source;

    RopeJson(Map<String, Object> members, String source) throws Json.MalformedException {
        Object scaling = members.get("rope_scaling");
        boolean older = scaling != null && !Map.of().equals(scaling);
        Object parameters = older ? scaling : members.get("rope_parameters");
        this.members = members;
        this.parameters = parameters == null ? Map.of() : Json.asObject(parameters);
        this.source = source;
        for (Map<String, Object> from : List.of(this.parameters, members)) {
            double turned = real(from, "partial_rotary_factor", 1);
            if (turned != 1) {
                throw UnsupportedErrors.feature(source, "partial_rotary_factor is " + turned + ", and what is read natively is 1");
            }
        }
    }

    double theta() {
        return real(parameters, "rope_theta", real(members, "rope_theta", 10_000));
    }

    /** What the frequencies are divided by; empty for 1. */
    List<Float> divisors(int headDim, int maxPositions) {
        Object type = parameters.getOrDefault("rope_type", parameters.getOrDefault("type", "default"));
        if (parameters.values().stream().anyMatch(Map.class::isInstance)) {
            type = "different from layer to layer";
        }
        if ("default".equals(type)) {
            return List.of();
        }
        if ("llama3".equals(type)) {
            return llama3(headDim, maxPositions);
        }
        if ("longrope".equals(type) && real(parameters, "attention_factor", 0) == 1
                && parameters.get("short_factor") instanceof List<?> factors
                && factors.equals(parameters.get("long_factor"))) {
            return factors.stream().map(f -> f instanceof Number n ? n.floatValue() : Float.NaN).toList();
        }
        throw UnsupportedErrors.feature(source, "rope_scaling is of type " + type + ", and what is read natively is default and llama3");
    }

    private List<Float> llama3(int headDim, int maxPositions) {
        double context = real(members, "original_max_position_embeddings",
                real(parameters, "original_max_position_embeddings", maxPositions));
        return new RopeScaling(real(parameters, "factor", Double.NaN), real(parameters, "low_freq_factor", Double.NaN),
                real(parameters, "high_freq_factor", Double.NaN), context).divisors(headDim, theta());
    }

    /**
     * As "llama3" where that is what they are, which more programs know, and otherwise as "longrope", the type that spells
     * divisors out; whether a sequence is short or long makes no difference.
     */
    static void write(JsonWriter json, CausalLmConfig config) throws IOException {
        List<Float> divisors = config.variant().ropeDivisors();
        if (divisors.isEmpty()) {
            return;
        }
        json.name("rope_scaling").beginObject();
        RopeScaling llama3 = RopeScaling.llama3(divisors, config.headDim(), config.ropeTheta());
        if (llama3 != null) {
            json.name("rope_type").value("llama3");
            json.name("factor").value(ConfigJson.decimal((float) llama3.factor()));
            json.name("low_freq_factor").value(llama3.lowFreqFactor());
            json.name("high_freq_factor").value(llama3.highFreqFactor());
            json.name("original_max_position_embeddings").value((long) llama3.originalPositions());
        } else {
            json.name("rope_type").value("longrope");
            for (String name : List.of("short_factor", "long_factor")) {
                json.name(name).beginArray();
                for (float divisor : divisors) {
                    json.value(ConfigJson.decimal(divisor));
                }
                json.endArray();
            }
            json.name("factor").value(1.0);
            json.name("attention_factor").value(1.0);
            json.name("original_max_position_embeddings").value(config.maxPositionEmbeddings());
        }
        json.endObject();
    }

    private double real(Map<String, Object> from, String key, double fallback) {
        return ConfigJson.real(from, key, fallback, source);
    }
}
