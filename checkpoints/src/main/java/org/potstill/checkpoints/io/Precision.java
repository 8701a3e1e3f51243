// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import org.potstill.checkpoints.graph.Int8Weights;

/** Number format in which a teacher computes. */
public enum Precision {
    /** Single precision throughout: the reference. */
    FP32(4),
    /** Half-precision weights and activations, for GPUs; the logits' softmax is in single precision. */
    FP16(2),
    /** Weights and activations of matrix products in bfloat16, for CPUs with instructions for it; all else in single precision. */
    BF16(2),
    /** 8-bit weights and activations in all matrix products, for CPUs; see {@link Int8Weights}. */
    INT8(1);

    private final int bytes;

    Precision(int bytes) {
        this.bytes = bytes;
    }

    /** Returns the bytes per weight. */
    public int bytes() {
        return bytes;
    }
}
