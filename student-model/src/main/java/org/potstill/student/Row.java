package org.potstill.student;

/**
 * One row of a {@link Matrix} on the heap, and the few loops that all elementwise work is made of. Each acts on the
 * first {@code n} elements, and may spoil those behind them. {@link VectorRow} is written in vectors, and {@link FloatRow} for the
 * JIT compiler to vectorise; {@link DoubleRow} is their plain twin, which gradient checks run on and tests compare them with.
 */
interface Row {
    /** Whether Java has been given the processor's vectors: {@code --add-modules jdk.incubator.vector}. */
    boolean VECTORS = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

    /** A row for the elements of matrices such as {@code like}. */
    static Row of(Matrix like, int length) {
        return like.isDouble() ? new DoubleRow(length) : ofFloats(length);
    }

    static Row ofFloats(int length) {
        return VECTORS ? new VectorRow(length) : new FloatRow(length);
    }

    Row load(Matrix from, int row, int column, int n);

    void store(Matrix to, int row, int column, int n);

    double get(int i);

    void set(int i, double value);

    /** Elements {@code [from, to)}. */
    void fill(int from, int to, double value);

    double max(int n);

    double sum(int n);

    double dot(int n, Row other);

    /** {@code this = exp(this − shift)}. */
    void exp(int n, double shift);

    /** {@code this = factor·this}. */
    void scale(int n, double factor);

    /** {@code this = this + factor·x}. */
    void add(int n, double factor, Row x);

    /** {@code this = this + factor·x·y}, elementwise. */
    void add(int n, double factor, Row x, Row y);

    /** {@code this = this·x}, elementwise. */
    void multiply(int n, Row x);

    /** {@code this = σ(x)}. */
    void sigmoid(int n, Row x);

    /** {@code this = dσ}, the derivative of silu(x) = x·σ(x), from x and σ(x). */
    void siluDerivative(int n, Row x, Row sigmoid);

    /**
     * Rotary embedding in Hugging Face's half-split order, on each of {@code heads} heads: element j of the first half
     * and of the second are turned together.
     *
     * @param angles cosines, then sines, {@code headDim / 2} of each
     * @param sign   1, or −1 to turn back
     */
    void rotate(int heads, int headDim, Row angles, int sign);
}
