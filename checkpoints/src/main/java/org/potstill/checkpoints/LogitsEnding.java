package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import onnx.Onnx.TensorProto.DataType;

/**
 * How a teacher's graph ends, see {@link LlamaGraph}.
 *
 * <p>Scores are computed for one part of the rows after another, so that there are never more than a {@value #PARTS}th of
 * all logits at once: of 2,048 positions over 49,152 tokens they would be 400 MB, several times over.
 */
final class LogitsEnding {
    private static final int PARTS = 16;

    private final OnnxGraph graph;

    private LogitsEnding(OnnxGraph graph) {
        this.graph = graph;
    }

    /**
     * @param rows [N, …], of the positions that are wanted
     * @param head from rows to their logits in single precision, [N, V], each row by itself
     */
    static void add(OnnxGraph graph, String rows, UnaryOperator<String> head, LlamaGraph.Ending ending, int vocabSize) {
        if (ending == LlamaGraph.Ending.LOGITS) {
            graph.output(head.apply(rows), LlamaGraph.LOGITS, DataType.FLOAT, "N", Integer.toString(vocabSize));
        } else {
            new LogitsEnding(graph).scores(rows, head, ending, vocabSize);
        }
    }

    private void scores(String rows, UnaryOperator<String> head, LlamaGraph.Ending ending, int vocabSize) {
        String nextIds = graph.input(LlamaGraph.NEXT_IDS, DataType.INT64, "N", "1");
        String k = ending.hasTop() ? graph.input(LlamaGraph.K, DataType.INT64, "1") : null;
        String uniforms = ending.hasDraws()
                ? graph.input(LlamaGraph.UNIFORMS, DataType.FLOAT, "N", Integer.toString(LlamaGraph.DRAW_STEPS), "S") : null;
        CategoricalDraws categorical = new CategoricalDraws(graph, vocabSize);
        String count = node("Gather", node("Shape", rows), graph.longs(0));
        String last = node("Sub", count, graph.longs(1));
        String step = node("Div", node("Add", count, graph.longs(PARTS - 1)), graph.longs(PARTS));
        List<String> topLogProbabilities = new ArrayList<>();
        List<String> topIds = new ArrayList<>();
        List<String> nextLogProbabilities = new ArrayList<>();
        List<String> entropies = new ArrayList<>();
        List<String> draws = new ArrayList<>();
        List<String> drawnMasses = new ArrayList<>();
        String nothing = graph.longs(0);
        for (int i = 0; i < PARTS; i++) {
            // Where few rows do not make so many parts, the last ones hold the last row again: empty ones crash TopK.
            String begin = node("Add", node("Min", node("Mul", step, graph.longs(i)), last), nothing);
            String end = node("Min", node("Mul", step, graph.longs(i + 1)), count);
            String logits = head.apply(node("Slice", rows, begin, end, graph.longs(0)));
            String logProbabilities = logSoftmax(logits);
            String probabilities = node("Exp", logProbabilities);
            nextLogProbabilities.add(gather(logProbabilities, node("Slice", nextIds, begin, end, graph.longs(0))));
            entropies.add(entropy(probabilities, logProbabilities));
            List<String> done = new ArrayList<>(List.of(nextLogProbabilities.get(i), entropies.get(i)));
            String others = probabilities;
            if (ending.hasTop()) {
                String[] top = graph.nodes("TopK", List.of(logits, k), 2,
                        attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
                topLogProbabilities.add(gather(logProbabilities, top[1]));
                topIds.add(graph.node("Cast", List.of(top[1]), attribute("to", (long) DataType.INT32.getNumber())));
                done.add(topLogProbabilities.get(i));
                others = ending.hasDraws() ? without(probabilities, top[1]) : null;
            }
            if (ending.hasDraws()) {
                CategoricalDraws.Drawn drawn = categorical.of(others, node("Slice", uniforms, begin, end, graph.longs(0)));
                draws.add(drawn.ids());
                drawnMasses.add(drawn.mass());
                done.add(drawn.ids());
            }
            nothing = onceDone(done);
        }
        if (ending.hasTop()) {
            graph.output(joined(topLogProbabilities, count), LlamaGraph.TOP_LOG_PROBABILITIES, DataType.FLOAT, "N", "K");
            graph.output(joined(topIds, count), LlamaGraph.TOP_IDS, DataType.INT32, "N", "K");
        }
        if (ending.hasDraws()) {
            graph.output(joined(draws, count), LlamaGraph.DRAWS, DataType.INT32, "N", "S");
            graph.output(joined(drawnMasses, count), LlamaGraph.DRAWN_MASS, DataType.FLOAT, "N", "1");
        }
        graph.output(joined(nextLogProbabilities, count), LlamaGraph.NEXT_LOG_PROBABILITY, DataType.FLOAT, "N", "1");
        graph.output(joined(entropies, count), LlamaGraph.ENTROPY, DataType.FLOAT, "N", "1");
    }

    /**
     * Not by ReduceLogSumExp: ONNX Runtime's adds one float after another, which over 49,152 of them came out 1.3e-4 too
     * low on average. Nor by Exp and ReduceSum: the order of its additions depends on how many rows there are.
     */
    private String logSoftmax(String logits) {
        return graph.node("LogSoftmax", List.of(logits), attribute("axis", -1L));
    }

    /** The probabilities with zeros in these columns. */
    private String without(String probabilities, String columns) {
        String zeros = graph.node("ConstantOfShape", List.of(node("Shape", columns)));
        return graph.node("ScatterElements", List.of(probabilities, columns, zeros), attribute("axis", 1L));
    }

    private String entropy(String probabilities, String logProbabilities) {
        String weighted = node("Mul", probabilities, logProbabilities);
        return node("Neg", graph.node("ReduceSum", List.of(weighted, graph.longs(-1)), attribute("keepdims", 1L)));
    }

    /**
     * Zero, but not before these are there: without it the engine may compute the logits of all parts and then go on.
     */
    private String onceDone(List<String> parts) {
        String rows = graph.longs(0);
        for (String part : parts) {
            rows = node("Add", rows, node("Slice", node("Shape", part), graph.longs(0), graph.longs(1), graph.longs(0)));
        }
        return node("Mul", rows, graph.longs(0));
    }

    private String gather(String rows, String columns) {
        return graph.node("GatherElements", List.of(rows, columns), attribute("axis", 1L));
    }

    private String joined(List<String> parts, String count) {
        return node("Slice", graph.node("Concat", parts, attribute("axis", 0L)), graph.longs(0), count, graph.longs(0));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
