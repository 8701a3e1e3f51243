// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

/**
 * One row of a {@link Matrix} on the heap, with the loops that elementwise work is built from. Each acts on the first {@code n}
 * elements and may overwrite those after them. {@link VectorRow} uses the Vector API, {@link FloatRow} relies on the JIT
 * compiler's vectorisation, and {@link DoubleRow} is the plain reference for gradient checks and tests.
 */
public interface Row {
    /** Whether rows use the Vector API; {@link Simd} decides. */
    boolean VECTORS = Simd.HERE.bits() > 0;

    /** Creates a row for matrices of the same element type as {@code like}. */
    static Row of(Matrix like, int length) {
        return like.isDouble() ? new DoubleRow(length) : ofFloats(length);
    }

    static FloatValues ofFloats(int length) {
        return VECTORS ? new VectorRow(length) : new FloatRow(length);
    }

    Row load(Matrix from, int row, int column, int n);

    void store(Matrix to, int row, int column, int n);

    double get(int i);

    void set(int i, double value);

    /** Fills elements {@code [from, to)}. */
    void fill(int from, int to, double value);

    double max(int n);

    double sum(int n);

    double dot(int n, Row other);

    /** Computes {@code this = exp(this − shift)}. */
    void exp(int n, double shift);

    /** Computes {@code this = factor·this}. */
    void scale(int n, double factor);

    /** Computes {@code this = this + factor·x}. */
    void add(int n, double factor, Row x);

    /** Computes {@code this = this + factor·x·y}, elementwise. */
    void add(int n, double factor, Row x, Row y);

    /** Computes {@code this = this·x}, elementwise. */
    void multiply(int n, Row x);

    /** Computes {@code this = σ(x)}. */
    void sigmoid(int n, Row x);

    /** Computes the derivative of silu(x) = x·σ(x) from x and σ(x). */
    void siluDerivative(int n, Row x, Row sigmoid);

    /**
     * Applies the rotary embedding to each of {@code heads} heads, in Hugging Face's half-split order: element j of the first
     * half and element j of the second are rotated together.
     *
     * @param angles cosines, then sines, {@code headDim / 2} of each
     * @param sign   1, or −1 for the inverse rotation
     */
    void rotate(int heads, int headDim, Row angles, int sign);
}
