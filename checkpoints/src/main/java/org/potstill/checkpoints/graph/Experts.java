// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;
import org.potstill.checkpoints.model.Traits;

/**
 * A mixture of experts (Jiang et al. 2024, arXiv 2401.04088) in a graph, in two versions that tests compare: all experts on all
 * rows, most of them weighted by 0, and each expert on the rows that the router sends to it.
 */
final class Experts {
    /** Adds one expert, [n, H] to [n, H]. */
    interface Expert {
        String apply(String rows, int expert);
    }

    private final OnnxGraph graph;
    private final Traits.Experts experts;
    private final boolean half;

    Experts(OnnxGraph graph, CausalLmConfig config, Precision precision) {
        this.graph = graph;
        this.experts = config.traits().experts();
        this.half = precision == Precision.FP16;
    }

    /**
     * Adds the mixture.
     *
     * @param x        [N, H]
     * @param router   logits of the router, [N, experts]
     * @param gathered whether each expert sees only its own rows
     * @return [N, H]
     */
    String apply(String x, String router, boolean gathered, Expert expert) {
        String weights = weights(router);
        return gathered ? gathered(x, weights, expert) : dense(x, weights, expert);
    }

    /** Returns the experts' weights, [N, experts], 0 for those that are not chosen. */
    private String weights(String router) {
        String probabilities = graph.node("Softmax", List.of(half ? graph.cast(router, DataType.FLOAT) : router), attribute("axis", -1L));
        String[] top = graph.nodes("TopK", List.of(probabilities, graph.longs(experts.perToken())), 2,
                attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
        String chosen = top[0];
        if (experts.normalized()) {
            chosen = node("Div", chosen, graph.node("ReduceSum", List.of(chosen, graph.longs(-1)), attribute("keepdims", 1L)));
        }
        String zeros = node("ConstantOfShape", node("Shape", probabilities));
        String weights = graph.node("ScatterElements", List.of(zeros, top[1], chosen), attribute("axis", 1L));
        return half ? graph.cast(weights, DataType.FLOAT16) : weights;
    }

    private String dense(String x, String weights, Expert expert) {
        String sum = null;
        for (int e = 0; e < experts.count(); e++) {
            String column = node("Slice", weights, graph.longs(e), graph.longs(e + 1L), graph.longs(1));
            String weighted = node("Mul", expert.apply(x, e), column);
            sum = sum == null ? weighted : node("Add", sum, weighted);
        }
        return sum;
    }

    private String gathered(String x, String weights, Expert expert) {
        String sum = node("Sub", x, x);
        for (int e = 0; e < experts.count(); e++) {
            String column = graph.node("Gather", List.of(weights, graph.longs(e)), attribute("axis", 1L));
            String places = graph.node("Transpose", List.of(node("NonZero", node("Squeeze", column, graph.longs(1)))),
                    attribute("perm", new long[] {1, 0}));
            String rows = node("Squeeze", places, graph.longs(1));
            String weighted = node("Mul", expert.apply(node("Gather", x, rows), e), node("Gather", column, rows));
            sum = node("ScatterND", sum, places, node("Add", node("Gather", sum, rows), weighted));
        }
        return sum;
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
