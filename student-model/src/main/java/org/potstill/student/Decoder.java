package org.potstill.student;

import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * The mathematics of a decoder of the Llama family (Touvron et al. 2023, arXiv 2302.13971), with what Mistral, Qwen2 and Qwen3
 * add to it: forward, loss, backward. Knows nothing of Deeplearning4j; {@link CausalDecoderLayer} puts it there.
 * {@link FusedDecoder} is written for CPUs, {@link Nd4jDecoder} in ND4J's operations, for any of its backends; each is the
 * other's oracle.
 */
interface Decoder {
    /** @param flat all parameters, in the order of {@link Weights}; seen, not copied */
    void setParameters(INDArray flat);

    /** @param flat where gradients go */
    void setGradients(INDArray flat);

    /** The loss of a batch, no gradient. */
    StepLoss loss(PackedBatch batch, double alpha);

    /** The loss of a batch; replaces the gradients by its gradient. */
    StepLoss lossAndGradient(PackedBatch batch, double alpha);

    /** Of every row, {@code [rows, vocabSize]}, for the caller to close. */
    INDArray logits(PackedBatch batch);

    /** Gives back memory outside the heap. */
    void free();
}
