package org.potstill.checkpoints;

/** In what numbers a teacher computes. */
public enum Precision {
    /** Single precision throughout: the reference. */
    FP32,
    /** Half-precision weights and activations, for GPUs; the logits' softmax is in single precision. */
    FP16,
    /** 8-bit weights and activations in all matrix products, for CPUs; see {@link Int8Weights}. */
    INT8
}
