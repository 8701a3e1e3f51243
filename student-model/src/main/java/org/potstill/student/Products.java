package org.potstill.student;

/** The three matrix products of a linear layer with weight {@code [out, in]}. */
interface Products {
    /** In the precision of the operands. */
    Products EXACT = new Gemm();

    /** Called when weights may have changed. */
    default void weightsChanged() {
    }

    /** {@code y = x·wᵀ + beta·y}: the forward pass. */
    void timesTransposed(Matrix x, Matrix w, Matrix y, double beta);

    /** {@code dx = dy·w + beta·dx}: the gradient of the input. */
    void times(Matrix dy, Matrix w, Matrix dx, double beta);

    /** {@code dw = dyᵀ·x + beta·dw}: the gradient of the weight. */
    void transposedTimes(Matrix dy, Matrix x, Matrix dw, double beta);

    default void free() {
    }
}
