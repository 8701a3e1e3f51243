// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/** A computation over the rows of a value in parts, so that intermediate results never exist for all rows at once. */
final class RowParts {
    /** The computation for one part. */
    interface Computation {
        /**
         * Adds the nodes for one part.
         *
         * @param part maps a value [N, …] to its rows of this part
         * @return results [rows of the part, …], the same number for each part
         */
        List<String> compute(UnaryOperator<String> part);
    }

    private final OnnxGraph graph;
    private final int parts;

    RowParts(OnnxGraph graph, int parts) {
        this.graph = graph;
        this.parts = parts;
    }

    /**
     * Adds a computation over all rows, part by part.
     *
     * @param rows [N, …], any value with the number of rows
     * @return each of the results for all rows, [N, …]
     */
    List<String> compute(String rows, Computation computation) {
        String count = node("Gather", node("Shape", rows), graph.longs(0));
        String last = node("Sub", count, graph.longs(1));
        String step = node("Div", node("Add", count, graph.longs(parts - 1)), graph.longs(parts));
        List<List<String>> ofParts = new ArrayList<>();
        String nothing = graph.longs(0);
        for (int i = 0; i < parts; i++) {
            // With too few rows for all parts, the last parts repeat the last row: empty ones crash TopK.
            String begin = node("Add", node("Min", node("Mul", step, graph.longs(i)), last), nothing);
            String end = node("Min", node("Mul", step, graph.longs(i + 1)), count);
            ofParts.add(computation.compute(value -> node("Slice", value, begin, end, graph.longs(0))));
            nothing = onceDone(ofParts.get(i));
        }
        List<String> joined = new ArrayList<>();
        for (int result = 0; result < ofParts.get(0).size(); result++) {
            int number = result;
            String all = graph.node("Concat", ofParts.stream().map(part -> part.get(number)).toList(), attribute("axis", 0L));
            joined.add(node("Slice", all, graph.longs(0), count, graph.longs(0)));
        }
        return joined;
    }

    /**
     * Returns zero, but only once these results are computed: without this dependency the engine might compute the logits
     * of all parts first.
     */
    private String onceDone(List<String> results) {
        String rows = graph.longs(0);
        for (String result : results) {
            rows = node("Add", rows, node("Slice", node("Shape", result), graph.longs(0), graph.longs(1), graph.longs(0)));
        }
        return node("Mul", rows, graph.longs(0));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
