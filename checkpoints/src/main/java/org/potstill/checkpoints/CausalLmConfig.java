package org.potstill.checkpoints;

/**
 * The shape of a Llama-family decoder, in the terms of a Hugging Face {@code config.json}.
 *
 * @param vocabSize         rows of the embedding table
 * @param hiddenSize        width of the residual stream
 * @param intermediateSize  width inside the SwiGLU feed-forward
 * @param numHiddenLayers   decoder layers
 * @param numAttentionHeads query heads
 * @param numKeyValueHeads  key and value heads; divides {@code numAttentionHeads}
 * @param headDim           width of one head
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
}
