// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

/**
 * The gated linear unit of the feed-forward, {@code out = f(gate)·up} (Shazeer 2020, arXiv 2002.05202), where f(x) = x·σ(v(x)).
 * With v(x) = x this is SwiGLU. With v(x) = √(8/π)·(x + 0.044715·x³) it is GeGLU in the approximation by tanh, as
 * (1 + tanh(v/2)) / 2 = σ(v).
 */
public enum GatedUnit {
    SWIGLU, GEGLU;

    private static final double SCALE = Math.sqrt(8 / Math.PI);
    private static final double CUBIC = 0.044715;

    /** Computes the unit; each row of {@code gateUp} holds gate, then up. */
    public void forward(Matrix gateUp, Matrix out) {
        int n = out.columns();
        Row gate = Row.of(out, n);
        Row up = Row.of(out, n);
        Row sigmoid = Row.of(out, n);
        Row argument = this == SWIGLU ? gate : Row.of(out, n);
        for (int i = 0; i < out.rows(); i++) {
            gate.load(gateUp, i, 0, n);
            up.load(gateUp, i, n, n);
            polynomial(n, gateUp, i, gate, CUBIC, argument);
            sigmoid.sigmoid(n, argument);
            sigmoid.multiply(n, gate);
            sigmoid.multiply(n, up);
            sigmoid.store(out, i, 0, n);
        }
    }

    /** Overwrites {@code gateUp} with the gradient of both its halves. */
    public void backward(Matrix gateUp, Matrix dOut) {
        int n = dOut.columns();
        Row gate = Row.of(dOut, n);
        Row up = Row.of(dOut, n);
        Row sigmoid = Row.of(dOut, n);
        Row dGate = Row.of(dOut, n);
        Row dRow = Row.of(dOut, n);
        Row argument = this == SWIGLU ? gate : Row.of(dOut, n);
        for (int i = 0; i < dOut.rows(); i++) {
            gate.load(gateUp, i, 0, n);
            up.load(gateUp, i, n, n);
            dRow.load(dOut, i, 0, n);
            polynomial(n, gateUp, i, gate, CUBIC, argument);
            sigmoid.sigmoid(n, argument);
            // The derivative of x·σ(v) is σ·(1 + x·v'·(1 − σ)), and x·v' has three times the cubic term of v.
            polynomial(n, gateUp, i, gate, 3 * CUBIC, argument);
            dGate.siluDerivative(n, argument, sigmoid);
            dGate.multiply(n, up);
            dGate.multiply(n, dRow);
            dGate.store(gateUp, i, 0, n);
            sigmoid.multiply(n, gate);
            sigmoid.multiply(n, dRow);
            sigmoid.store(gateUp, i, n, n);
        }
    }

    /** Computes {@code to = √(8/π)·(x + cubic·x³)} for GeGLU; for SwiGLU, {@code to} is x itself. */
    private void polynomial(int n, Matrix gateUp, int i, Row x, double cubic, Row to) {
        if (this == GEGLU) {
            to.load(gateUp, i, 0, n);
            to.multiply(n, x);
            to.multiply(n, x);
            to.scale(n, cubic);
            to.add(n, 1, x);
            to.scale(n, SCALE);
        }
    }
}
