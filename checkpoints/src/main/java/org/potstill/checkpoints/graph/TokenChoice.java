// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * The choice of the next token from its logits, inside a graph: temperature, then top-k, then top-p, in the order of
 * transformers. Each row's choice depends on that row alone.
 *
 * @param temperature divides the logits; 0 takes the most probable token, of equals the first
 * @param topK        number of most probable tokens to draw from; 0 for all
 * @param topP        draws only from the most probable tokens whose probabilities together reach this; 1 for all
 */
public record TokenChoice(double temperature, int topK, double topP) {
    /** Returns whether no draw decides, so that a graph has no input {@link LlamaGraph#POINTS}. */
    public boolean greedy() {
        return temperature == 0;
    }

    /**
     * Adds the choice.
     *
     * @param logits [R, V]
     * @param points [R, 1], a point in [0, 1) per row, which falls on the token whose share of the probability it is in; null if greedy
     * @return tokens [R], INT32
     */
    String add(OnnxGraph graph, String logits, String points, int vocabSize) {
        if (greedy()) {
            return graph.cast(graph.node("ArgMax", List.of(logits), attribute("axis", -1L), attribute("keepdims", 0L)), DataType.INT32);
        }
        String scaled = graph.node("Div", List.of(logits, graph.scalar((float) temperature)));
        boolean all = topK == 0 || topK >= vocabSize;
        String drawn;
        if (all && topP == 1) {
            drawn = new CategoricalDraws(graph, vocabSize).draw(softmax(graph, scaled), points).ids();
        } else if (all) {
            String probabilities = softmax(graph, scaled);
            String[] top = topK(graph, probabilities, nucleusBound(graph, probabilities, vocabSize));
            drawn = drawFromTop(graph, top[0], top[1], points);
        } else {
            String[] top = topK(graph, scaled, graph.longs(topK));
            drawn = drawFromTop(graph, softmax(graph, top[0]), top[1], points);
        }
        return graph.cast(graph.node("Squeeze", List.of(drawn, graph.longs(1))), DataType.INT32);
    }

    /**
     * Adds a number of tokens [1] that no row's nucleus exceeds. All tokens less probable than (1 − p)/V have less than 1 −
     * p together, so the others reach p. Sorting these few takes less time than sorting all.
     */
    private String nucleusBound(OnnxGraph graph, String probabilities, int vocabSize) {
        // Half of it, as probabilities are rounded.
        String candidates = graph.node("GreaterOrEqual", List.of(probabilities, graph.scalar((float) ((1 - topP) / vocabSize / 2))));
        String counts = graph.node("ReduceSum", List.of(graph.cast(candidates, DataType.INT64), graph.longs(-1)), attribute("keepdims", 0L));
        // At least 1, also where there are no numbers.
        String atLeastOne = graph.node("Concat", List.of(counts, graph.longs(1)), attribute("axis", 0L));
        return graph.node("ReduceMax", List.of(atLeastOne), attribute("keepdims", 1L));
    }

    /**
     * Adds a draw from the first entries of each row that together reach topP of its mass.
     *
     * @param masses  [R, k], descending
     * @param columns [R, k], tokens
     * @param points  [R, 1]
     * @return [R, 1]
     */
    private String drawFromTop(OnnxGraph graph, String masses, String columns, String points) {
        String exact = graph.cast(masses, DataType.DOUBLE);
        // All but the last entries of a softmax over more than these k are missing from its sum, but that is 1.
        String before = graph.node("CumSum", List.of(exact, graph.scalar(1)), attribute("exclusive", 1L));
        String kept = graph.cast(graph.node("Less", List.of(before, graph.scalar(topP == 1 ? 2.0 : topP))), DataType.DOUBLE);
        String cumulative = graph.node("CumSum", List.of(graph.node("Mul", List.of(exact, kept)), graph.scalar(1)));
        String total = graph.node("Slice", List.of(cumulative, graph.longs(-1), graph.longs(Integer.MAX_VALUE), graph.longs(1)));
        String target = graph.node("Mul", List.of(points, total));
        String passed = graph.cast(graph.node("LessOrEqual", List.of(cumulative, target)), DataType.INT64);
        String index = graph.node("ReduceSum", List.of(passed, graph.longs(1)), attribute("keepdims", 1L));
        String last = graph.node("Sub", List.of(
                graph.node("Slice", List.of(graph.node("Shape", List.of(masses)), graph.longs(1), graph.longs(2))), graph.longs(1)));
        // Not a number passes nothing; a point is below 1, so the entry before the last is the furthest otherwise.
        return graph.node("GatherElements", List.of(columns, graph.node("Min", List.of(index, last))), attribute("axis", 1L));
    }

    private static String softmax(OnnxGraph graph, String rows) {
        return graph.node("Softmax", List.of(rows), attribute("axis", -1L));
    }

    private static String[] topK(OnnxGraph graph, String rows, String k) {
        return graph.nodes("TopK", List.of(rows, k), 2, attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
    }
}
