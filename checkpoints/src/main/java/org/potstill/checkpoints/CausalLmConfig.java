package org.potstill.checkpoints;

/**
 * The shape of a Llama-family decoder, in the terms of a Hugging Face {@code config.json}. Always sound: the
 * constructor refuses values that no such model can have.
 *
 * @param vocabSize         rows of the embedding table
 * @param hiddenSize        width of the residual stream
 * @param intermediateSize  width inside the SwiGLU feed-forward
 * @param numHiddenLayers   decoder layers
 * @param numAttentionHeads query heads
 * @param numKeyValueHeads  key and value heads; divides {@code numAttentionHeads}
 * @param headDim           width of one head; even, for the rotary embedding
 * @param maxPositionEmbeddings longest sequence the model was made for
 * @param rmsNormEps        epsilon inside RMSNorm
 * @param ropeTheta         base of the rotary embedding
 * @param tieWordEmbeddings whether the head is the embedding table
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
        boolean tieWordEmbeddings) implements java.io.Serializable {
    public CausalLmConfig {
        // The upper bounds are far above any model yet made; they keep products of two of these inside a long and
        // a hostile file from asking for absurd amounts of memory.
        requireBetween("vocab_size", vocabSize, 1, 1 << 22);
        requireBetween("hidden_size", hiddenSize, 1, 1 << 17);
        requireBetween("intermediate_size", intermediateSize, 1, 1 << 20);
        requireBetween("num_hidden_layers", numHiddenLayers, 1, 1 << 10);
        requireBetween("num_attention_heads", numAttentionHeads, 1, 1 << 10);
        requireBetween("num_key_value_heads", numKeyValueHeads, 1, numAttentionHeads);
        requireBetween("head_dim", headDim, 2, 1 << 12);
        requireBetween("max_position_embeddings", maxPositionEmbeddings, 1, 1 << 25);
        require(numAttentionHeads % numKeyValueHeads == 0, "num_key_value_heads " + numKeyValueHeads
                + " does not divide num_attention_heads " + numAttentionHeads);
        require(headDim % 2 == 0, "head_dim " + headDim + " is odd, but rotary embedding turns pairs");
        require(rmsNormEps > 0 && rmsNormEps < 1, "rms_norm_eps is " + rmsNormEps);
        require(ropeTheta > 0 && ropeTheta < Float.POSITIVE_INFINITY, "rope_theta is " + ropeTheta);
    }

    /** Reads the content of a {@code config.json}; {@code source} names it in errors. */
    public static CausalLmConfig fromJson(String json, String source) {
        return ConfigJson.read(json, source);
    }

    /** The content of a {@code config.json} that Hugging Face transformers loads as a {@code LlamaForCausalLM}. */
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
