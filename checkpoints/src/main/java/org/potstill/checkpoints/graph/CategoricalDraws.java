// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/**
 * Draws from categorical distributions at given points, inside a graph: inverse transform sampling in three steps, which
 * find a group of blocks, a block of ids and an id, so that no step sums over the whole vocabulary.
 *
 * <p>A point lies in [0, 1). It falls on the first entry whose cumulative mass exceeds {@code point · total}; what this
 * exceeds the entry's beginning by is the next step's target. Masses need not sum to one, and an entry without mass is
 * never drawn. Masses are added up in single precision, in rows of 64 and 32, which the engine does in the same order
 * whatever the number of rows; cumulative masses and targets are in double precision, so that rounding does not favour
 * one entry.
 */
final class CategoricalDraws {
    private static final int BLOCK = 64;
    private static final int BLOCKS_IN_GROUP = 32;

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
     * @param masses [n, V], not negative
     * @param points [n, S], in double precision
     */
    Drawn draw(String masses, String points) {
        String ofIds = node("Reshape", padded(masses, blocks * BLOCK - vocabSize), graph.longs(0, blocks, BLOCK));
        String ofBlocks = node("Reshape", padded(sums(ofIds), groups * BLOCKS_IN_GROUP - blocks),
                graph.longs(0, groups, BLOCKS_IN_GROUP));
        String cumulative = cumulative(node("Unsqueeze", sums(ofBlocks), graph.longs(1)));
        String total = total(cumulative);
        String target = node("Mul", node("Unsqueeze", points, graph.longs(2)), total);

        Step group = step(cumulative, target, groups);
        Step block = step(rowsAt(ofBlocks, group.entry), group.rest, BLOCKS_IN_GROUP, group, blocks);
        Step id = step(rowsAt(ofIds, block.entry), block.rest, BLOCK, block, vocabSize);
        return new Drawn(graph.cast(node("Squeeze", id.entry, graph.longs(2)), DataType.INT32),
                graph.cast(node("Squeeze", total, graph.longs(2)), DataType.FLOAT));
    }

    /**
     * The entry that a target falls on.
     *
     * @param entry [n, S, 1], its index
     * @param rest  [n, S, 1], the target less the mass of all entries before
     */
    private record Step(String entry, String rest) {
    }

    /** Finds the entry of {@code masses} [n, S, width] that the rest of a step falls on. */
    private Step step(String masses, String rest, int width, Step before, int count) {
        String cumulative = cumulative(masses);
        // These masses are what the step before summed up, rounded otherwise: the rest may reach their sum.
        String target = node("Min", rest, node("Mul", total(cumulative), graph.scalar(1 - 0x1p-52)));
        Step within = step(cumulative, target, width);
        String entry = node("Add", node("Mul", before.entry, graph.longs(width)), within.entry);
        return new Step(node("Min", entry, graph.longs(count - 1)), within.rest);
    }

    /**
     * Finds the entry that a target falls on.
     *
     * @param cumulative [n, S, width] or [n, 1, width]
     * @param target     [n, S, 1], below the last cumulative mass, where that is not zero
     */
    private Step step(String cumulative, String target, int width) {
        String notYet = graph.cast(node("LessOrEqual", cumulative, target), DataType.DOUBLE);
        String count = graph.node("ReduceSum", List.of(notYet, graph.longs(2)), attribute("keepdims", 1L));
        String before = graph.node("ReduceMax", List.of(node("Mul", cumulative, notYet)), attribute("axes", new long[] {2}),
                attribute("keepdims", 1L));
        return new Step(node("Min", graph.cast(count, DataType.INT64), graph.longs(width - 1)), node("Sub", target, before));
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
        return node("CumSum", graph.cast(masses, DataType.DOUBLE), graph.scalar(2));
    }

    private String total(String cumulative) {
        return node("Slice", cumulative, graph.longs(-1), graph.longs(Integer.MAX_VALUE), graph.longs(2));
    }

    /** Picks rows by index, [n, a, b] and [n, S, 1] to [n, S, b]. */
    private String rowsAt(String rows, String index) {
        return graph.node("GatherND", List.of(rows, index), attribute("batch_dims", 1L));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
