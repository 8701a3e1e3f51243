// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;

/**
 * Linear layers of {@link Int8Weights} in a graph. Their input is quantised per row, by its largest magnitude, so that
 * scores of a text do not depend on the texts batched with it, as they would with one scale per batch.
 */
final class Int8Linear {
    /** Zero point of activations, which are unsigned because the CPU's instructions are. */
    private static final int MIDDLE = 128;
    private static final float LARGEST = 127f;
    /** Smallest scale, against division by zero for a row of zeros. */
    private static final float TINY = 1e-30f;
    /** Steps per unit of the rounding error, which lies within ±½: this spreads it over ±127. */
    private static final float STEPS = 254f;

    private final OnnxGraph graph;
    private final WeightsLayout layout;

    Int8Linear(OnnxGraph graph, WeightsLayout layout) {
        this.graph = graph;
        this.layout = layout;
    }

    /**
     * Adds x · Wᵀ for weights that share an input.
     *
     * @param x     [N, in]
     * @param fine  whether to quantise the rounding error of the activations to another 8 bits, at the cost of a second
     *              product
     * @param names of the weights
     * @return x · Wᵀ for each, [N, out]
     */
    String[] apply(String x, boolean fine, String... names) {
        String largest = node("Max", reduce("ReduceMax", x), node("Neg", reduce("ReduceMin", x)));
        String scale = node("Max", node("Mul", largest, graph.scalar(1 / LARGEST)), graph.scalar(TINY));
        String scaled = node("Div", x, scale);
        String coarse = quantise(scaled, 1);
        String rest = fine ? quantise(node("Sub", scaled, node("Round", scaled)), 1 / STEPS) : null;
        String[] results = new String[names.length];
        for (int i = 0; i < names.length; i++) {
            String product = product(coarse, 1, names[i]);
            if (fine) {
                product = node("Add", product, product(rest, 1 / STEPS, names[i]));
            }
            results[i] = node("Mul", product, scale);
        }
        return results;
    }

    private String quantise(String x, float step) {
        return node("QuantizeLinear", x, graph.scalar(step), graph.unsignedByte(MIDDLE));
    }

    private String product(String x, float step, String weight) {
        return graph.contrib("MatMulIntegerToFloat",
                List.of(x, external(weight), graph.scalar(step), external(WeightsLayout.scale(weight)),
                        graph.unsignedByte(MIDDLE), external(WeightsLayout.zeroPoint(weight))), 1);
    }

    private String external(String name) {
        return graph.external(name, layout.span(name));
    }

    private String reduce(String op, String x) {
        return graph.node(op, List.of(x), attribute("axes", new long[] {-1}), attribute("keepdims", 1L));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
