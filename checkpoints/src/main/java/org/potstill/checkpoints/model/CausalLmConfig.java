// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.io.Serializable;
import java.util.List;
import java.util.stream.IntStream;
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * The shape of a Llama-family decoder, in the terms of a Hugging Face {@code config.json}. Always valid: the constructor
 * rejects impossible values.
 *
 * @param vocabSize         rows of the embedding table
 * @param hiddenSize        width of the residual stream
 * @param intermediateSize  inner width of the feed-forward, or of each of its experts
 * @param numHiddenLayers   decoder layers
 * @param numAttentionHeads query heads
 * @param numKeyValueHeads  key/value heads; divides {@code numAttentionHeads}
 * @param headDim           width of a head; even, for the rotary embedding
 * @param maxPositionEmbeddings longest sequence that the model was made for, in tokens
 * @param rmsNormEps        epsilon of RMSNorm
 * @param ropeTheta         base of the rotary embedding
 * @param tieWordEmbeddings whether the head shares the embedding table
 * @param variant           differences from a plain Llama
 */
public record CausalLmConfig(
        int vocabSize,
        int hiddenSize,
        int intermediateSize,
        int numHiddenLayers,
        int numAttentionHeads,
        int numKeyValueHeads,
        int headDim,
        int maxPositionEmbeddings,
        float rmsNormEps,
        float ropeTheta,
        boolean tieWordEmbeddings,
        Variant variant) implements Serializable {
    public static final int MAX_LAYERS = 1 << 10;
    public static final int MAX_HEAD_DIM = 1 << 12;
    /** Most experts of all layers together. */
    private static final int MAX_EXPERTS = 1 << 16;

    /** Architecture that a model is read and written as; its {@code model_type} is the name in lower case. */
    public enum Family {
        LLAMA, MISTRAL, QWEN2, QWEN3, SMOLLM3, GRANITE, PHI3, OLMO2, GEMMA2, GEMMA3_TEXT, MIXTRAL, QWEN3_MOE;

        /** Returns whether some models of the family have sliding windows. */
        public boolean slides() {
            return this != LLAMA && this != GRANITE && this != OLMO2 && this != QWEN3_MOE;
        }

        /** Returns whether a sliding window is in all layers or in none. */
        boolean slidesThroughout() {
            return this == MISTRAL || this == PHI3 || this == MIXTRAL;
        }

        /** Returns whether this is a Gemma: Hugging Face folders store the gains of its norms less 1. */
        public boolean isGemma() {
            return this == GEMMA2 || this == GEMMA3_TEXT;
        }
    }

    /**
     * Differences from a plain Llama.
     *
     * @param family        decides which biases and windows are possible, and names in files
     * @param attentionBias whether the query, key and value projections have biases and, except in Qwen2, the output
     *                      projection too
     * @param mlpBias       whether the projections of the feed-forward have biases
     * @param slidingWindow number of keys, including its own, that a query sees in the sliding layers; 0 for no such
     *                      layers
     * @param slidingLayers indices of the sliding layers, ascending
     * @param ropeDivisors  divisors of the rotary frequencies, one for each rotated pair of dimensions; empty for 1
     * @param traits        other properties of the forward pass
     */
    public record Variant(Family family, boolean attentionBias, boolean mlpBias, int slidingWindow,
            List<Integer> slidingLayers, List<Float> ropeDivisors, Traits traits) implements Serializable {
        public static final Variant PLAIN = new Variant(Family.LLAMA, false, false, 0, List.of(), List.of());

        public Variant {
            slidingLayers = List.copyOf(slidingLayers);
            ropeDivisors = List.copyOf(ropeDivisors);
            require(attentionBias ? family != Family.MISTRAL && family != Family.PHI3 && family != Family.MIXTRAL : family != Family.QWEN2,
                    "attention_bias is " + attentionBias + ", which " + family + " does not have");
            require(!mlpBias || family == Family.LLAMA || family == Family.SMOLLM3 || family == Family.GRANITE,
                    "mlp_bias is true, which " + family + " does not have");
            require(slidingLayers.isEmpty() ? slidingWindow == 0 : slidingWindow > 0 && family.slides(),
                    "sliding_window is " + slidingWindow + " for " + slidingLayers.size() + " layers of " + family);
            for (float divisor : ropeDivisors) {
                require(divisor > 0 && divisor < Float.POSITIVE_INFINITY, "a rotary frequency is divided by " + divisor);
            }
        }

        /** Makes a variant with the traits that all models of the family have. */
        public Variant(Family family, boolean attentionBias, boolean mlpBias, int slidingWindow, List<Integer> slidingLayers,
                List<Float> ropeDivisors) {
            this(family, attentionBias, mlpBias, slidingWindow, slidingLayers, ropeDivisors, Traits.of(family));
        }

        /** Returns the variant of a model that consists of these layers, in this order. */
        public Variant ofLayers(int... layers) {
            List<Integer> sliding = places(slidingLayers, layers);
            return new Variant(family, attentionBias, mlpBias, sliding.isEmpty() ? 0 : slidingWindow, sliding, ropeDivisors,
                    traits.with(traits.rotary().withUnrotatedLayers(places(traits.rotary().unrotatedLayers(), layers))));
        }

        private static List<Integer> places(List<Integer> special, int... layers) {
            return IntStream.range(0, layers.length).filter(i -> special.contains(layers[i])).boxed().toList();
        }
    }

    public CausalLmConfig {
        // The upper bounds are far above any model yet made; they keep products of two of these inside a long and
        // a hostile file from asking for absurd amounts of memory.
        requireBetween("vocab_size", vocabSize, 1, 1 << 22);
        requireBetween("hidden_size", hiddenSize, 1, 1 << 17);
        requireBetween("intermediate_size", intermediateSize, 1, 1 << 20);
        requireBetween("num_hidden_layers", numHiddenLayers, 1, MAX_LAYERS);
        requireBetween("num_attention_heads", numAttentionHeads, 1, 1 << 10);
        requireBetween("num_key_value_heads", numKeyValueHeads, 1, numAttentionHeads);
        requireBetween("head_dim", headDim, 2, MAX_HEAD_DIM);
        requireBetween("max_position_embeddings", maxPositionEmbeddings, 1, 1 << 25);
        require(numAttentionHeads % numKeyValueHeads == 0, "num_key_value_heads " + numKeyValueHeads
                + " does not divide num_attention_heads " + numAttentionHeads);
        require(headDim % 2 == 0, "head_dim " + headDim + " is odd, but rotary embedding turns pairs");
        require(rmsNormEps > 0 && rmsNormEps < 1, "rms_norm_eps is " + rmsNormEps);
        require(ropeTheta > 0 && ropeTheta < Float.POSITIVE_INFINITY, "rope_theta is " + ropeTheta);
        Traits.Rotary rotary = variant.traits.rotary();
        int rotated = rotary.dimensions();
        require(rotated == 0 || rotated >= 2 && rotated < headDim && rotated % 2 == 0,
                rotated + " of " + headDim + " dimensions of a head are rotated");
        int divisors = variant.ropeDivisors.size();
        int pairs = rotatedDimensions(rotary, headDim) / 2;
        require(divisors == 0 || divisors == pairs, divisors + " rotary frequencies are scaled, not " + pairs);
        for (int layer : variant.slidingLayers) {
            require(layer >= 0 && layer < numHiddenLayers, "layer " + layer + " of " + numHiddenLayers + " slides");
        }
        for (int layer : rotary.unrotatedLayers()) {
            require(layer >= 0 && layer < numHiddenLayers, "layer " + layer + " of " + numHiddenLayers + " is not rotated");
        }
        int experts = variant.traits.experts().count();
        require((long) experts * numHiddenLayers <= MAX_EXPERTS, experts + " experts in each of " + numHiddenLayers + " layers are more than "
                + MAX_EXPERTS);
        Traits.Scales scales = variant.traits.scales();
        require(!variant.family.isGemma() || scales.attention() > 0 && Math.abs(scales.embedding() / Math.sqrt(hiddenSize) - 1) < 1e-6,
                "embeddings are scaled by " + scales.embedding() + " and attention by " + scales.attention() + ", which " + variant.family
                        + " with hidden_size " + hiddenSize + " does not have");
        int sliding = variant.slidingLayers.size();
        require(!variant.family.slidesThroughout() || sliding == 0 || sliding == numHiddenLayers,
                "only " + sliding + " of " + numHiddenLayers + " layers slide, which " + variant.family + " does not have");
    }

    /** Makes the shape of a plain Llama. */
    public CausalLmConfig(int vocabSize, int hiddenSize, int intermediateSize, int numHiddenLayers,
            int numAttentionHeads, int numKeyValueHeads, int headDim, int maxPositionEmbeddings, float rmsNormEps,
            float ropeTheta, boolean tieWordEmbeddings) {
        this(vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim,
                maxPositionEmbeddings, rmsNormEps, ropeTheta, tieWordEmbeddings, Variant.PLAIN);
    }

    public Traits traits() {
        return variant.traits;
    }

    /** Returns whether queries and keys pass an RMSNorm before the rotary embedding. */
    public boolean headNorms() {
        return variant.traits.headNorms() != Traits.HeadNorms.NONE;
    }

    /** Returns whether attention's output projection has a bias. */
    public boolean outputBias() {
        return variant.attentionBias && variant.family != Family.QWEN2;
    }

    /** Returns the number of keys, including its own, that a query sees in this layer; 0 for all before it. */
    public int slidingWindow(int layer) {
        return variant.slidingLayers.contains(layer) ? variant.slidingWindow : 0;
    }

    /** Returns the factor of attention scores, {@code 1 / √headDim} if the model does not set it. */
    public double attentionScale() {
        double set = variant.traits.scales().attention();
        return set == 0 ? 1 / Math.sqrt(headDim) : set;
    }

    /** Returns whether a layer has the rotary embedding. */
    public boolean rotates(int layer) {
        return !variant.traits.rotary().unrotatedLayers().contains(layer);
    }

    /** Returns whether sliding layers have rotary frequencies of their own, {@link #localFrequencies}. */
    public boolean hasLocalFrequencies() {
        return variant.traits.rotary().localTheta() > 0;
    }

    /** Returns whether a layer's rotary frequencies are the local ones. */
    public boolean isLocal(int layer) {
        return hasLocalFrequencies() && slidingWindow(layer) > 0;
    }

    /**
     * Returns the rotation angles per position, {@code headDim / 2} numbers: {@code theta^(−2j/R)} for the R dimensions that
     * are rotated, over the model's divisors, and 0 for the others. Rounded to single precision where transformers rounds.
     */
    public float[] rotaryFrequencies() {
        return frequencies(ropeTheta, variant.ropeDivisors);
    }

    /** Returns the rotation angles per position of the layers that {@link #isLocal}. */
    public float[] localFrequencies() {
        return frequencies(variant.traits.rotary().localTheta(), List.of());
    }

    /** Returns the number of a head's dimensions that are rotated. */
    public int rotatedDimensions() {
        return rotatedDimensions(variant.traits.rotary(), headDim);
    }

    private static int rotatedDimensions(Traits.Rotary rotary, int headDim) {
        return rotary.dimensions() == 0 ? headDim : rotary.dimensions();
    }

    private float[] frequencies(float theta, List<Float> divisors) {
        float[] frequencies = new float[headDim / 2];
        int rotated = rotatedDimensions();
        for (int j = 0; j < rotated / 2; j++) {
            float frequency = (float) (1 / Math.pow(theta, 2.0 * j / rotated));
            frequencies[j] = divisors.isEmpty() ? frequency : frequency / divisors.get(j);
        }
        return frequencies;
    }

    /** Returns the same model with a separate head. */
    public CausalLmConfig untied() {
        return new CausalLmConfig(vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads,
                numKeyValueHeads, headDim, maxPositionEmbeddings, rmsNormEps, ropeTheta, false, variant);
    }

    /** Reads the content of a {@code config.json}; {@code source} names it in errors. */
    public static CausalLmConfig fromJson(String json, String source) {
        return ConfigJson.read(json, source);
    }

    /** Returns the content of a {@code config.json} that Hugging Face transformers can load. */
    public String toJson() {
        return ConfigJson.write(this);
    }

    private static void requireBetween(String name, int value, int min, int max) {
        require(value >= min && value <= max, name + " is " + value + ", not between " + min + " and " + max);
    }

    private static void require(boolean condition, String cause) {
        if (!condition) {
            throw CheckpointErrors.badConfig("a model's configuration", cause);
        }
    }
}
