// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.graph.OnnxGraph;

/**
 * Operators of a training graph by short names, of operator set 17: each has a kernel in ONNX Runtime's CPU provider and, for the
 * types used here, in its CUDA provider.
 */
record Operators(OnnxGraph graph) {
    String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }

    String add(String a, String b) {
        return node("Add", a, b);
    }

    String sub(String a, String b) {
        return node("Sub", a, b);
    }

    String mul(String a, String b) {
        return node("Mul", a, b);
    }

    String div(String a, String b) {
        return node("Div", a, b);
    }

    String max(String a, String b) {
        return node("Max", a, b);
    }

    /** Multiplies by a constant in single precision; adds nothing for 1. */
    String scaled(String x, double factor) {
        return factor == 1 ? x : mul(x, graph.scalar((float) factor));
    }

    String reshape(String x, String shape) {
        return node("Reshape", x, shape);
    }

    /** Reshapes to constant dimensions, of which one may be −1. */
    String reshape(String x, long... shape) {
        return reshape(x, graph.longs(shape));
    }

    String unsqueeze(String x, long axis) {
        return node("Unsqueeze", x, graph.longs(axis));
    }

    String gather(String x, String indices) {
        return graph.node("Gather", List.of(x, indices), attribute("axis", 0L));
    }

    /** Returns a piece of the first axis. */
    String slice(String x, String from, String to) {
        return node("Slice", x, from, to, graph.longs(0));
    }

    String[] split(String x, long axis, long... sizes) {
        return graph.nodes("Split", List.of(x, graph.longs(sizes)), sizes.length, attribute("axis", axis));
    }

    String concat(long axis, String... parts) {
        return graph.node("Concat", List.of(parts), attribute("axis", axis));
    }

    String transpose(String x, long... order) {
        return graph.node("Transpose", List.of(x), attribute("perm", order));
    }

    String cast(String x, DataType type) {
        return graph.cast(x, type);
    }

    String doubles(String x) {
        return cast(x, DataType.DOUBLE);
    }

    String floats(String x) {
        return cast(x, DataType.FLOAT);
    }

    /** Sums over the last axis, which becomes 1. */
    String rowSums(String x) {
        return node("ReduceSum", x, graph.longs(-1));
    }

    /** Sums all elements to a scalar. */
    String sum(String x) {
        return graph.node("ReduceSum", List.of(x), attribute("keepdims", 0L));
    }

    /** Multiplies batches of matrices, {@code factor · a · b}, either of them transposed. */
    String product(String a, boolean transposeA, String b, boolean transposeB, double factor) {
        return graph.contrib("FusedMatMul", List.of(a, b), 1, attribute("transA", transposeA ? 1L : 0L),
                attribute("transB", transposeB ? 1L : 0L), attribute("alpha", (float) factor));
    }

    /** Adds values at these indices of the last axis. */
    String scatterAdd(String x, String indices, String values) {
        return graph.node("ScatterElements", List.of(x, indices, values), attribute("axis", 1L), attribute("reduction", "add"));
    }

    /** Picks values at these indices of the last axis. */
    String pick(String x, String indices) {
        return graph.node("GatherElements", List.of(x, indices), attribute("axis", 1L));
    }

    /** Adds {@code cap · tanh(x / cap)}. */
    Softcapped softcap(String x, double cap) {
        if (cap == 0) {
            return new Softcapped(x, null);
        }
        String tanh = node("Tanh", scaled(x, 1 / cap));
        return new Softcapped(scaled(tanh, cap), tanh);
    }

    /** Multiplies a gradient by the derivative of a softcap. */
    String softcapBackward(String gradient, Softcapped x) {
        return x.tanh == null ? gradient : mul(gradient, sub(graph.scalar(1f), mul(x.tanh, x.tanh)));
    }

    /**
     * A softcapped value.
     *
     * @param tanh null without a softcap
     */
    record Softcapped(String value, String tanh) {
    }
}
