// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.decoder;

import org.nd4j.linalg.api.ndarray.INDArray;
import org.potstill.student.batch.PackedBatch;
import org.potstill.student.dl4j.DecoderLayer;
import org.potstill.student.loss.StepLoss;
import org.potstill.student.nd4j.Nd4jDecoder;

/**
 * The forward pass, loss and backward pass of a decoder of the Llama family (Touvron et al. 2023, arXiv 2302.13971), including
 * the variations of Mistral, Qwen2 and Qwen3. Independent of Deeplearning4j, to which {@link DecoderLayer} adapts it.
 * {@link LlamaDecoder} targets CPUs; {@link Nd4jDecoder} uses ND4J operations and runs on any of its backends. Each serves as
 * the other's test oracle.
 */
public interface Decoder {
    /**
     * Sets the vector that holds the parameters.
     *
     * @param flat all parameters, in the order of {@link Weights}; not copied
     */
    void setParameters(INDArray flat);

    /**
     * Sets the vector that receives the gradients.
     *
     * @param flat in the order of {@link Weights}; not copied
     */
    void setGradients(INDArray flat);

    /** Computes the loss of a batch without a gradient. */
    StepLoss loss(PackedBatch batch, double alpha);

    /** Computes the loss of a batch and overwrites the gradients with its gradient. */
    StepLoss lossAndGradient(PackedBatch batch, double alpha);

    /** Returns the logits of all rows, {@code [rows, vocabSize]}; the caller closes them. */
    INDArray logits(PackedBatch batch);

    /** Frees off-heap memory. */
    void free();
}
