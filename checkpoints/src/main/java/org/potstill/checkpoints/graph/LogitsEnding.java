// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.UnaryOperator;
import onnx.Onnx.TensorProto.DataType;

/**
 * The endings of a teacher's graph from the logits on, see {@link LlamaGraph}.
 *
 * <p>Scores are computed for one part of the rows after another, so that at most a {@value #PARTS}th of all logits is in
 * memory at once: for 2,048 positions and 49,152 tokens all of them would take 400 MB, several times over.
 */
public final class LogitsEnding {
    private static final int PARTS = 16;

    private final OnnxGraph graph;

    private LogitsEnding(OnnxGraph graph) {
        this.graph = graph;
    }

    /**
     * Adds an ending and its inputs and outputs to the graph.
     *
     * @param rows [N, …], one row per position to score
     * @param head maps rows to their logits in single precision, [N, V], each row independently
     */
    public static void add(OnnxGraph graph, String rows, UnaryOperator<String> head, LlamaGraph.Ending ending, int vocabSize) {
        if (ending == LlamaGraph.Ending.LOGITS) {
            graph.output(head.apply(rows), LlamaGraph.LOGITS, DataType.FLOAT, "N", Integer.toString(vocabSize));
        } else {
            new LogitsEnding(graph).scores(rows, head, ending, vocabSize);
        }
    }

    private void scores(String rows, UnaryOperator<String> head, LlamaGraph.Ending ending, int vocabSize) {
        String nextIds = graph.input(LlamaGraph.NEXT_IDS, DataType.INT64, "N", "1");
        String k = ending.hasTop() ? graph.input(LlamaGraph.K, DataType.INT64, "1") : null;
        String points = ending.hasDraws() ? graph.input(LlamaGraph.POINTS, DataType.DOUBLE, "N", "S") : null;
        CategoricalDraws categorical = new CategoricalDraws(graph, vocabSize);
        List<String> all = new RowParts(graph, PARTS).compute(rows, part -> {
            String logits = head.apply(part.apply(rows));
            String logProbabilities = logSoftmax(logits);
            String probabilities = node("Exp", logProbabilities);
            List<String> results = new ArrayList<>(List.of(gather(logProbabilities, part.apply(nextIds)),
                    entropy(probabilities, logProbabilities)));
            String others = probabilities;
            if (ending.hasTop()) {
                String[] top = graph.nodes("TopK", List.of(logits, k), 2,
                        attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
                results.add(gather(logProbabilities, top[1]));
                results.add(graph.cast(top[1], DataType.INT32));
                others = ending.hasDraws() ? without(probabilities, top[1]) : null;
            }
            if (ending.hasDraws()) {
                CategoricalDraws.Drawn drawn = categorical.draw(others, part.apply(points));
                results.add(drawn.ids());
                results.add(drawn.mass());
            }
            return results;
        });
        Iterator<String> results = all.iterator();
        String next = results.next();
        String entropy = results.next();
        if (ending.hasTop()) {
            graph.output(results.next(), LlamaGraph.TOP_LOG_PROBABILITIES, DataType.FLOAT, "N", "K");
            graph.output(results.next(), LlamaGraph.TOP_IDS, DataType.INT32, "N", "K");
        }
        if (ending.hasDraws()) {
            graph.output(results.next(), LlamaGraph.DRAWS, DataType.INT32, "N", "S");
            graph.output(results.next(), LlamaGraph.DRAWN_MASS, DataType.FLOAT, "N", "1");
        }
        graph.output(next, LlamaGraph.NEXT_LOG_PROBABILITY, DataType.FLOAT, "N", "1");
        graph.output(entropy, LlamaGraph.ENTROPY, DataType.FLOAT, "N", "1");
    }

    /**
     * Adds log-softmax over each row. ReduceLogSumExp would be inexact: it adds floats one by one, which for 49,152 of
     * them came out 1.3e-4 too low on average. With Exp and ReduceSum the order of additions would depend on the number
     * of rows.
     */
    private String logSoftmax(String logits) {
        return graph.node("LogSoftmax", List.of(logits), attribute("axis", -1L));
    }

    /** Sets the probabilities in these columns to zero. */
    private String without(String probabilities, String columns) {
        String zeros = graph.node("ConstantOfShape", List.of(node("Shape", columns)));
        return graph.node("ScatterElements", List.of(probabilities, columns, zeros), attribute("axis", 1L));
    }

    private String entropy(String probabilities, String logProbabilities) {
        String weighted = node("Mul", probabilities, logProbabilities);
        return node("Neg", graph.node("ReduceSum", List.of(weighted, graph.longs(-1)), attribute("keepdims", 1L)));
    }

    private String gather(String rows, String columns) {
        return graph.node("GatherElements", List.of(rows, columns), attribute("axis", 1L));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
