// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

/** The three matrix products of a linear layer with a weight {@code [out, in]}. */
public interface Products {
    /** Returns products in the precision of the operands. */
    static Products exact() {
        return Gemm.EXACT;
    }

    /** Signals that weights may have changed. */
    default void weightsChanged() {
    }

    /** Computes {@code y = x·wᵀ + beta·y}: the forward pass. */
    void timesTransposed(Matrix x, Matrix w, Matrix y, double beta);

    /** Computes {@code dx = dy·w + beta·dx}: the gradient of the input. */
    void times(Matrix dy, Matrix w, Matrix dx, double beta);

    /** Computes {@code dw = dyᵀ·x + beta·dw}: the gradient of the weight. */
    void transposedTimes(Matrix dy, Matrix x, Matrix dw, double beta);

    default void free() {
    }
}
