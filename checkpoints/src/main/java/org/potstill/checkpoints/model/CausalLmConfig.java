// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.model;

import java.io.Serializable;
import java.util.List;
import org.potstill.checkpoints.io.CheckpointErrors;

/**
 * The shape of a Llama-family decoder, in the terms of a Hugging Face {@code config.json}. Always valid: the constructor
 * rejects impossible values.
 *
 * @param vocabSize         rows of the embedding table
 * @param hiddenSize        width of the residual stream
 * @param intermediateSize  inner width of the SwiGLU feed-forward
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
    static final int MAX_HEAD_DIM = 1 << 12;

    /** Member of the family; its {@code model_type} is the name in lower case. */
    public enum Family { LLAMA, MISTRAL, QWEN2, QWEN3 }

    /**
     * Differences from a plain Llama. Qwen3 also normalises each head of queries and keys.
     *
     * @param family        decides which biases and windows are possible
     * @param attentionBias whether the query, key and value projections have biases and, except in Qwen2, the output
     *                      projection too
     * @param mlpBias       whether the projections of the feed-forward have biases
     * @param slidingWindow number of keys, including its own, that a query sees in the sliding layers; 0 for no such
     *                      layers
     * @param slidingLayers indices of the sliding layers, ascending
     * @param ropeDivisors  divisors of the rotary frequencies, {@code headDim / 2} numbers; empty for 1
     */
    public record Variant(Family family, boolean attentionBias, boolean mlpBias, int slidingWindow,
            List<Integer> slidingLayers, List<Float> ropeDivisors) implements Serializable {
        public static final Variant PLAIN = new Variant(Family.LLAMA, false, false, 0, List.of(), List.of());

        public Variant {
            slidingLayers = List.copyOf(slidingLayers);
            ropeDivisors = List.copyOf(ropeDivisors);
            require(attentionBias == (family == Family.QWEN2) || family == Family.LLAMA || family == Family.QWEN3,
                    "attention_bias is " + attentionBias + ", which " + family + " does not have");
            require(!mlpBias || family == Family.LLAMA, "mlp_bias is true, which " + family + " does not have");
            require(slidingLayers.isEmpty() ? slidingWindow == 0 : slidingWindow > 0 && family != Family.LLAMA,
                    "sliding_window is " + slidingWindow + " for " + slidingLayers.size() + " layers of " + family);
            for (float divisor : ropeDivisors) {
                require(divisor > 0 && divisor < Float.POSITIVE_INFINITY, "a rotary frequency is divided by " + divisor);
            }
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
        int divisors = variant.ropeDivisors.size();
        require(divisors == 0 || divisors == headDim / 2, divisors + " rotary frequencies are scaled, not " + headDim / 2);
        for (int layer : variant.slidingLayers) {
            require(layer >= 0 && layer < numHiddenLayers, "layer " + layer + " of " + numHiddenLayers + " slides");
        }
        int sliding = variant.slidingLayers.size();
        require(variant.family != Family.MISTRAL || sliding == 0 || sliding == numHiddenLayers,
                "only " + sliding + " of " + numHiddenLayers + " layers slide, which MISTRAL does not have");
    }

    /** Makes the shape of a plain Llama. */
    public CausalLmConfig(int vocabSize, int hiddenSize, int intermediateSize, int numHiddenLayers,
            int numAttentionHeads, int numKeyValueHeads, int headDim, int maxPositionEmbeddings, float rmsNormEps,
            float ropeTheta, boolean tieWordEmbeddings) {
        this(vocabSize, hiddenSize, intermediateSize, numHiddenLayers, numAttentionHeads, numKeyValueHeads, headDim,
                maxPositionEmbeddings, rmsNormEps, ropeTheta, tieWordEmbeddings, Variant.PLAIN);
    }

    /** Returns whether each head of queries and keys passes an RMSNorm before the rotary embedding. */
    public boolean headNorms() {
        return variant.family == Family.QWEN3;
    }

    /** Returns whether attention's output projection has a bias. */
    public boolean outputBias() {
        return variant.attentionBias && variant.family != Family.QWEN2;
    }

    /** Returns the number of keys, including its own, that a query sees in this layer; 0 for all before it. */
    public int slidingWindow(int layer) {
        return variant.slidingLayers.contains(layer) ? variant.slidingWindow : 0;
    }

    /**
     * Returns the rotation angles per position, {@code headDim / 2} numbers: {@code theta^(−2j/headDim)}, over the
     * model's divisors. Rounded to single precision where transformers rounds.
     */
    public float[] rotaryFrequencies() {
        float[] frequencies = new float[headDim / 2];
        for (int j = 0; j < frequencies.length; j++) {
            float frequency = (float) (1 / Math.pow(ropeTheta, 2.0 * j / headDim));
            frequencies[j] = variant.ropeDivisors.isEmpty() ? frequency : frequency / variant.ropeDivisors.get(j);
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
