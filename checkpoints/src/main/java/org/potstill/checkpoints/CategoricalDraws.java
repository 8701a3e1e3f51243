package org.potstill.checkpoints;

import static org.potstill.checkpoints.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * Draws with replacement from categorical distributions, inside a graph: inverse transform sampling in three steps, which
 * choose a group of blocks, a block of ids and an id, so that no step sums over the whole vocabulary.
 *
 * <p>Each step has its own uniform number, {@code u} in [0, 1) with 23 bits, and takes the first entry whose cumulative
 * mass exceeds {@code u · total}. The product stays below the total in single precision too, so an entry without mass is
 * never drawn. Masses need not sum to one. Sums run over rows of 64 and 32, which the engine adds up in the same order
 * whatever the number of rows.
 */
final class CategoricalDraws {
    private static final int BLOCK = LlamaGraph.DRAW_BLOCK;
    private static final int BLOCKS_IN_GROUP = LlamaGraph.DRAW_GROUP / BLOCK;

    private final OnnxGraph graph;
    private final int blocks;
    private final int groups;
    private final int vocabSize;

    CategoricalDraws(OnnxGraph graph, int vocabSize) {
        this.graph = graph;
        this.vocabSize = vocabSize;
        this.blocks = (vocabSize + BLOCK - 1) / BLOCK;
        this.groups = (blocks + BLOCKS_IN_GROUP - 1) / BLOCKS_IN_GROUP;
    }

    /**
     * Drawn ids and the mass that they were drawn from.
     *
     * @param ids  [n, S], INT32; meaningless for rows without mass
     * @param mass [n, 1], the sum of each row
     */
    record Drawn(String ids, String mass) {
    }

    /**
     * Adds S draws from each row of masses.
     *
     * @param masses   [n, V], not negative
     * @param uniforms [n, {@link LlamaGraph#DRAW_STEPS}, S]
     */
    Drawn of(String masses, String uniforms) {
        String ofIds = node("Reshape", padded(masses, blocks * BLOCK - vocabSize), graph.longs(0, blocks, BLOCK));
        String ofBlocks = node("Reshape", padded(sums(ofIds), groups * BLOCKS_IN_GROUP - blocks),
                graph.longs(0, groups, BLOCKS_IN_GROUP));
        String ofGroups = node("Unsqueeze", sums(ofBlocks), graph.longs(1));

        String cumulative = cumulative(ofGroups);
        String group = first(cumulative, groups, uniforms, 0);
        String block = first(cumulative(rowsAt(ofBlocks, group)), BLOCKS_IN_GROUP, uniforms, 1);
        block = node("Min", node("Add", node("Mul", group, graph.longs(BLOCKS_IN_GROUP)), block), graph.longs(blocks - 1));
        String inBlock = first(cumulative(rowsAt(ofIds, block)), BLOCK, uniforms, 2);
        String id = node("Min", node("Add", node("Mul", block, graph.longs(BLOCK)), inBlock), graph.longs(vocabSize - 1));
        return new Drawn(graph.node("Cast", List.of(node("Squeeze", id, graph.longs(2))),
                attribute("to", (long) DataType.INT32.getNumber())), node("Squeeze", total(cumulative), graph.longs(2)));
    }

    /** Pads each row with zeros on the right. */
    private String padded(String rows, int count) {
        return count == 0 ? rows : node("Pad", rows, graph.longs(0, 0, 0, count));
    }

    /** Sums over the last dimension, [n, a, b] to [n, a]. */
    private String sums(String masses) {
        return graph.node("ReduceSum", List.of(masses, graph.longs(2)), attribute("keepdims", 0L));
    }

    private String cumulative(String masses) {
        return node("CumSum", masses, graph.scalar(2));
    }

    private String total(String cumulative) {
        return node("Slice", cumulative, graph.longs(-1), graph.longs(Integer.MAX_VALUE), graph.longs(2));
    }

    /** Picks rows by index, [n, a, b] and [n, S, 1] to [n, S, b]. */
    private String rowsAt(String rows, String index) {
        return graph.node("GatherND", List.of(rows, index), attribute("batch_dims", 1L));
    }

    /**
     * Finds the entry that a uniform number falls on.
     *
     * @param cumulative [n, S, w] or [n, 1, w]
     * @return [n, S, 1], the number of entries that do not exceed u · total
     */
    private String first(String cumulative, int width, String uniforms, int step) {
        String u = node("Unsqueeze", graph.node("Gather", List.of(uniforms, graph.scalar((long) step)), attribute("axis", 1L)),
                graph.longs(2));
        String notYet = graph.node("Cast", List.of(node("LessOrEqual", cumulative, node("Mul", u, total(cumulative)))),
                attribute("to", (long) DataType.FLOAT.getNumber()));
        String count = graph.node("ReduceSum", List.of(notYet, graph.longs(2)), attribute("keepdims", 1L));
        return node("Min", graph.node("Cast", List.of(count), attribute("to", (long) DataType.INT64.getNumber())),
                graph.longs(width - 1));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
