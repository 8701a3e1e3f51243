// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.potstill.checkpoints.io.Json;
import org.potstill.checkpoints.io.UnsupportedErrors;
import org.potstill.checkpoints.model.CausalLmConfig.Family;

/**
 * What a {@code config.json} says of the rotary embedding, in {@code rope_parameters} (transformers 5) or
 * {@code rope_scaling} and {@code rope_theta} (transformers 4). Where both are there, transformers takes the older one. Gemma 3
 * has one set for each type of layer.
 */
final class RopeJson {
    private static final String LOCAL = "sliding_attention";
    private static final String GLOBAL = "full_attention";
    private static final String ORIGINAL = "original_max_position_embeddings";

    private final Map<String, Object> members;
    private final Map<String, Object> parameters;
    private final Map<String, Object> local;
    private final String source;
    private final Family family;
    private final int headDim;
    /** Longest sequence by {@code max_position_embeddings}. */
    private final int positions;

    RopeJson(Map<String, Object> members, String source, Family family, int headDim, int positions) throws Json.MalformedException {
        Object scaling = members.get("rope_scaling");
        boolean older = scaling != null && !Map.of().equals(scaling);
        Object given = older ? scaling : members.get("rope_parameters");
        Map<String, Object> parameters = given == null ? Map.of() : Json.asObject(given);
        boolean nested = family == Family.GEMMA3_TEXT && parameters.get(GLOBAL) != null;
        this.members = members;
        this.parameters = nested ? Json.asObject(parameters.get(GLOBAL)) : parameters;
        this.local = nested && parameters.get(LOCAL) != null ? Json.asObject(parameters.get(LOCAL)) : Map.of();
        this.source = source;
        this.family = family;
        this.headDim = headDim;
        this.positions = positions;
        if (family != Family.PHI3 && share() != 1) {
            throw UnsupportedErrors.feature(source, "partial_rotary_factor is " + share() + ", and what is read natively is 1");
        }
        if (!type(local).equals("default")) {
            throw UnsupportedErrors.feature(source, "rope_parameters of sliding layers are of type " + type(local)
                    + ", and what is read natively is default");
        }
    }

    double theta() {
        return real(parameters, "rope_theta", real(members, "rope_theta", switch (family) {
            case SMOLLM3 -> 2_000_000;
            case GEMMA3_TEXT, MIXTRAL -> 1_000_000;
            default -> 10_000;
        }));
    }

    /** Returns the part of a head's dimensions that is rotated. */
    private double share() {
        return real(parameters, "partial_rotary_factor", real(members, "partial_rotary_factor", 1));
    }

    private int rotated() {
        return (int) (headDim * share());
    }

    /** Returns the longest sequence, which for a longrope of two kinds is that for which the short one is meant. */
    int positions() {
        return longropeOfTwoKinds() ? (int) Math.min(positions, original()) : positions;
    }

    /** Returns all but the divisors. */
    Traits.Rotary rotary(List<Integer> unrotatedLayers) {
        int rotated = rotated();
        float localTheta = family == Family.GEMMA3_TEXT
                ? (float) real(local, "rope_theta", real(members, "rope_local_base_freq", 10_000)) : 0;
        return new Traits.Rotary(rotated == headDim ? 0 : rotated, unrotatedLayers, localTheta, factor());
    }

    private static String type(Map<String, Object> parameters) {
        return String.valueOf(parameters.getOrDefault("rope_type", parameters.getOrDefault("type", "default")));
    }

    private String type() {
        return parameters.values().stream().anyMatch(Map.class::isInstance) ? "different from layer to layer"
                : type(parameters).replaceFirst("^su$", "longrope");
    }

    private double original() {
        return real(members, ORIGINAL, real(parameters, ORIGINAL, positions));
    }

    private boolean longropeOfTwoKinds() {
        return type().equals("longrope") && !Objects.equals(parameters.get("short_factor"), parameters.get("long_factor"));
    }

    /** Returns the factor of cosines and sines. */
    private double factor() {
        double given = real(parameters, "attention_factor", 0);
        return switch (type()) {
            case "yarn" -> {
                double factor = yarnFactor();
                double scale = real(parameters, "mscale", 0);
                double all = real(parameters, "mscale_all_dim", 0);
                yield given != 0 ? given : scale != 0 && all != 0 ? yarnGain(factor, scale) / yarnGain(factor, all) : yarnGain(factor, 1);
            }
            case "longrope" -> {
                double factor = real(parameters, "factor", positions / original());
                yield given != 0 ? given : factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original()));
            }
            default -> 1;
        };
    }

    private static double yarnGain(double factor, double scale) {
        return factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1;
    }

    private double yarnFactor() {
        return real(parameters, "factor", positions / original());
    }

    /** Returns what the frequencies are divided by; empty for 1. */
    List<Float> divisors() {
        int rotated = rotated();
        return switch (type()) {
            // Within max_position_embeddings, the dynamic type changes nothing.
            case "default", "dynamic" -> List.of();
            case "linear" -> Collections.nCopies(Math.max(0, Math.min(rotated, CausalLmConfig.MAX_HEAD_DIM) / 2), (float) real(parameters, "factor", Double.NaN));
            case "llama3" -> new RopeScaling(real(parameters, "factor", Double.NaN), real(parameters, "low_freq_factor", Double.NaN),
                    real(parameters, "high_freq_factor", Double.NaN), original()).divisors(rotated, theta());
            case "yarn" -> YarnScaling.divisors(rotated, theta(), yarnFactor(), original(), real(parameters, "beta_fast", 32),
                    real(parameters, "beta_slow", 1), !Boolean.FALSE.equals(parameters.get("truncate")));
            case "longrope" -> parameters.get("short_factor") instanceof List<?> factors
                    ? factors.stream().map(f -> f instanceof Number n ? n.floatValue() : Float.NaN).toList() : List.of(Float.NaN);
            default -> throw UnsupportedErrors.feature(source, "rope_scaling is of type " + type()
                    + ", and what is read natively is default, linear, dynamic, yarn, longrope and llama3");
        };
    }

    /**
     * As "llama3" or "linear" where that is what they are, which more programs know, and otherwise as "longrope", the type that
     * spells divisors out; whether a sequence is short or long makes no difference.
     */
    static void write(JsonWriter json, CausalLmConfig config) throws IOException {
        List<Float> divisors = config.variant().ropeDivisors();
        Traits.Rotary rotary = config.traits().rotary();
        if (rotary.dimensions() > 0) {
            json.name("partial_rotary_factor").value((double) rotary.dimensions() / config.headDim());
        }
        if (rotary.localTheta() > 0) {
            json.name("rope_local_base_freq").value(ConfigJson.decimal(rotary.localTheta()));
        }
        if (divisors.isEmpty() && rotary.factor() == 1) {
            return;
        }
        boolean plain = rotary.factor() == 1;
        RopeScaling llama3 = plain ? RopeScaling.llama3(divisors, config.headDim(), config.ropeTheta()) : null;
        boolean linear = plain && llama3 == null && divisors.stream().allMatch(divisors.get(0)::equals);
        json.name("rope_scaling").beginObject();
        if (llama3 != null) {
            json.name("rope_type").value("llama3");
            json.name("factor").value(ConfigJson.decimal((float) llama3.factor()));
            json.name("low_freq_factor").value(llama3.lowFreqFactor());
            json.name("high_freq_factor").value(llama3.highFreqFactor());
            json.name(ORIGINAL).value((long) llama3.originalPositions());
        } else if (linear) {
            json.name("rope_type").value("linear");
            json.name("factor").value(ConfigJson.decimal(divisors.get(0)));
        } else {
            json.name("rope_type").value("longrope");
            for (String name : List.of("short_factor", "long_factor")) {
                json.name(name).beginArray();
                for (int j = 0; j < config.rotatedDimensions() / 2; j++) {
                    json.value(divisors.isEmpty() ? 1 : ConfigJson.decimal(divisors.get(j)));
                }
                json.endArray();
            }
            json.name("factor").value(1.0);
            json.name("attention_factor").value(rotary.factor());
            json.name(ORIGINAL).value(config.maxPositionEmbeddings());
        }
        json.endObject();
    }

    private double real(Map<String, Object> from, String key, double fallback) {
        return ConfigJson.real(from, key, fallback, source);
    }
}
