package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/** How a teacher's graph ends, see {@link LlamaGraph}. */
final class LogitsEnding {
    private LogitsEnding() {
    }

    /** @param logits [N, V], of the positions that are wanted */
    static void add(OnnxGraph graph, String logits, LlamaGraph.Ending ending, int vocabSize) {
        if (ending == LlamaGraph.Ending.LOGITS) {
            graph.output(logits, LlamaGraph.LOGITS, DataType.FLOAT, "N", Integer.toString(vocabSize));
        } else {
            scores(graph, logits);
        }
    }

    /**
     * LogSoftmax, not ReduceLogSumExp: ONNX Runtime's adds one float after another, which over 49,152 of them came out
     * 1.3e-4 too low on average. Nor Exp and ReduceSum: the order of its additions depends on how many rows there are.
     */
    private static void scores(OnnxGraph graph, String logits) {
        String nextIds = graph.input(LlamaGraph.NEXT_IDS, DataType.INT64, "N", "1");
        String k = graph.input(LlamaGraph.K, DataType.INT64, "1");
        String[] top = graph.nodes("TopK", List.of(logits, k), 2,
                attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
        String topIds = graph.node("Cast", List.of(top[1]), attribute("to", (long) DataType.INT32.getNumber()));
        String logProbabilities = graph.node("LogSoftmax", List.of(logits), attribute("axis", -1L));
        String ofTop = graph.node("GatherElements", List.of(logProbabilities, top[1]), attribute("axis", 1L));
        String ofNext = graph.node("GatherElements", List.of(logProbabilities, nextIds), attribute("axis", 1L));
        String entropy = graph.node("Neg", List.of(graph.node("ReduceSum", List.of(
                graph.node("Mul", List.of(graph.node("Exp", List.of(logProbabilities)), logProbabilities)), graph.longs(-1)),
                attribute("keepdims", 1L))));
        graph.output(ofTop, LlamaGraph.TOP_LOG_PROBABILITIES, DataType.FLOAT, "N", "K");
        graph.output(topIds, LlamaGraph.TOP_IDS, DataType.INT32, "N", "K");
        graph.output(ofNext, LlamaGraph.NEXT_LOG_PROBABILITY, DataType.FLOAT, "N", "1");
        graph.output(entropy, LlamaGraph.ENTROPY, DataType.FLOAT, "N", "1");
    }
}
