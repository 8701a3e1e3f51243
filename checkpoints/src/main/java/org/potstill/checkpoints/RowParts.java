package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Computes something of the rows of a value one part after another, so that what is only needed on the way is never there
 * for all rows at once.
 */
final class RowParts {
    /** What is computed of a part. */
    interface Computation {
        /**
         * @param part from a value [N, …] to its rows of this part
         * @return results [rows of the part, …], the same number for each part
         */
        List<String> of(UnaryOperator<String> part);
    }

    private final OnnxGraph graph;
    private final int parts;

    RowParts(OnnxGraph graph, int parts) {
        this.graph = graph;
        this.parts = parts;
    }

    /**
     * @param rows [N, …], which tells how many there are
     * @return each of the results, of all rows, [N, …]
     */
    List<String> compute(String rows, Computation computation) {
        String count = node("Gather", node("Shape", rows), graph.longs(0));
        String last = node("Sub", count, graph.longs(1));
        String step = node("Div", node("Add", count, graph.longs(parts - 1)), graph.longs(parts));
        List<List<String>> ofParts = new ArrayList<>();
        String nothing = graph.longs(0);
        for (int i = 0; i < parts; i++) {
            // Where few rows do not make so many parts, the last ones hold the last row again: empty ones crash TopK.
            String begin = node("Add", node("Min", node("Mul", step, graph.longs(i)), last), nothing);
            String end = node("Min", node("Mul", step, graph.longs(i + 1)), count);
            ofParts.add(computation.of(value -> node("Slice", value, begin, end, graph.longs(0))));
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
     * Zero, but not before these are there: without it the engine may compute the logits of all parts and then go on.
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
