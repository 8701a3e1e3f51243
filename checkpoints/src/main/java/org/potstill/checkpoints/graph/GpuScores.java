// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import java.util.function.UnaryOperator;
import onnx.Onnx.TensorProto.DataType;

/**
 * The {@link LlamaGraph.Ending#SCORES} ending for GPUs: the outputs of {@link LogitsEnding} in fewer passes over the
 * logits, which dominate the time there. Top-k works on the logits in the graph's half precision; probabilities are
 * computed once, in single precision, and logarithms only for the entries that are output.
 */
final class GpuScores {
    /** Parts that rows are split into; fewer than on a CPU, as large ones keep a GPU busy. */
    private static final int PARTS = 8;

    private final OnnxGraph graph;
    private final UnaryOperator<String> head;
    private final BlockwiseTopK topK;

    private GpuScores(OnnxGraph graph, UnaryOperator<String> head, int vocabSize) {
        this.graph = graph;
        this.head = head;
        this.topK = new BlockwiseTopK(graph, vocabSize);
    }

    /**
     * Adds the ending and its inputs and outputs to the graph.
     *
     * @param rows [N, …], one row per position to score
     * @param head maps rows to their logits, [N, V]
     */
    static void add(OnnxGraph graph, String rows, UnaryOperator<String> head, int vocabSize) {
        String nextIds = graph.input(LlamaGraph.NEXT_IDS, DataType.INT64, "N", "1");
        String k = graph.input(LlamaGraph.K, DataType.INT64, "1");
        GpuScores scores = new GpuScores(graph, head, vocabSize);
        List<String> all = new RowParts(graph, PARTS).compute(rows, part -> scores.score(part.apply(rows), k, part.apply(nextIds)));
        graph.output(all.get(0), LlamaGraph.TOP_LOG_PROBABILITIES, DataType.FLOAT, "N", "K");
        graph.output(all.get(1), LlamaGraph.TOP_IDS, DataType.INT32, "N", "K");
        graph.output(all.get(2), LlamaGraph.NEXT_LOG_PROBABILITY, DataType.FLOAT, "N", "1");
        graph.output(all.get(3), LlamaGraph.ENTROPY, DataType.FLOAT, "N", "1");
    }

    private List<String> score(String rows, String k, String nextIds) {
        String logits = head.apply(rows);
        BlockwiseTopK.Top top = topK.select(logits, k);
        logits = graph.cast(logits, DataType.FLOAT);
        String probabilities = graph.node("Softmax", List.of(logits), attribute("axis", -1L));
        String topLogits = graph.cast(top.values(), DataType.FLOAT);
        // log Σ exp z = z − log p for every token. The most probable one is used, as its p is at least 1 / V.
        String logSum = node("Sub", first(topLogits), node("Log", gather(probabilities, first(top.columns()))));
        String mean = graph.node("ReduceSum", List.of(node("Mul", probabilities, logits), graph.longs(-1)), attribute("keepdims", 1L));
        return List.of(node("Sub", topLogits, logSum), graph.cast(top.columns(), DataType.INT32),
                node("Sub", gather(logits, nextIds), logSum), node("Sub", logSum, mean));
    }

    private String first(String rows) {
        return node("Slice", rows, graph.longs(0), graph.longs(1), graph.longs(1));
    }

    private String gather(String rows, String columns) {
        return graph.node("GatherElements", List.of(rows, columns), attribute("axis", 1L));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
