// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import java.util.List;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.Traits;

/** Elementwise operations of a graph, with constants in its precision. */
final class Elementwise {
    private final OnnxGraph graph;
    private final Traits.Activation activation;
    private final boolean fused;
    private final Precision precision;

    /** @param fused whether to use operators of ONNX Runtime's own */
    Elementwise(OnnxGraph graph, Traits.Activation activation, boolean fused, Precision precision) {
        this.graph = graph;
        this.activation = activation;
        this.fused = fused;
        this.precision = precision;
    }

    String add(String a, String b) {
        return graph.node("Add", List.of(a, b));
    }

    String mul(String a, String b) {
        return graph.node("Mul", List.of(a, b));
    }

    /** Multiplies by a constant; adds nothing for 1. */
    String scaled(String x, double factor) {
        return factor == 1 ? x : mul(x, number(factor));
    }

    /** Adds {@code cap · tanh(x / cap)}; nothing for a cap of 0. */
    String softcapped(String x, double cap) {
        return cap == 0 ? x : scaled(graph.node("Tanh", List.of(scaled(x, 1 / cap))), cap);
    }

    /** Adds the activation of the feed-forward's gate. */
    String activated(String x) {
        if (activation == Traits.Activation.SILU) {
            return mul(x, graph.node("Sigmoid", List.of(x)));
        }
        if (fused) {
            return graph.contrib("FastGelu", List.of(x), 1);
        }
        // x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))
        String cubic = mul(x, add(number(1), scaled(mul(x, x), 0.044715)));
        return mul(scaled(x, 0.5), add(number(1), graph.node("Tanh", List.of(scaled(cubic, Math.sqrt(2 / Math.PI))))));
    }

    private String number(double value) {
        return precision == Precision.FP16 ? graph.half((float) value) : graph.scalar((float) value);
    }
}
