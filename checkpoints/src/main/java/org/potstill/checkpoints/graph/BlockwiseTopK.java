// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * The k largest entries of each row, for GPUs, where ONNX Runtime's {@code TopK} reads its input several times. Here it
 * gets little to read: first the maxima of the blocks of a row, then the members of the k blocks with the largest maxima.
 * Those contain the top k, as an entry of any other block is no larger than k block maxima. Ties at the boundary are not
 * broken by column, as with {@code TopK} itself.
 */
final class BlockwiseTopK {
    /**
     * Block sizes in order of preference: the first that divides the row width is used. If none does, {@code TopK} reads
     * whole rows.
     */
    private static final int[] SIZES = {32, 16, 8};

    private final OnnxGraph graph;
    private final int width;

    /** @param width entries per row */
    BlockwiseTopK(OnnxGraph graph, int width) {
        this.graph = graph;
        this.width = width;
    }

    /**
     * Entries in descending order, [n, k], and their columns, [n, k], INT64. For a row with NaN they are meaningless, but
     * in range.
     */
    record Top(String values, String columns) {
    }

    /**
     * Adds nodes that find the k largest entries of each row.
     *
     * @param rows [n, width]
     * @param k    [1], at most the width
     */
    Top select(String rows, String k) {
        int size = Arrays.stream(SIZES).filter(each -> width % each == 0).findFirst().orElse(1);
        if (size == 1) {
            String[] top = topK(rows, k);
            return new Top(top[0], clipped(top[1], graph.longs(width)));
        }
        // A block holds every (width / size)th entry: block maxima are then an elementwise maximum of contiguous slices,
        // without a transpose.
        int blocks = width / size;
        long[] widths = new long[size];
        Arrays.fill(widths, blocks);
        String largest = graph.node("Max",
                List.of(graph.nodes("Split", List.of(rows, graph.longs(widths)), size, attribute("axis", -1L))));
        String kBlocks = node("Min", k, graph.longs(blocks));
        String members = graph.longs(LongStream.range(0, size).map(i -> i * blocks).toArray());
        // [n, size, k blocks]
        String block = clipped(topK(largest, kBlocks)[1], graph.longs(blocks));
        String columns = node("Add", node("Unsqueeze", block, graph.longs(1)),
                node("Unsqueeze", members, graph.longs(1)));
        String candidates = node("Mul", kBlocks, graph.longs(size));
        columns = node("Reshape", columns, graph.node("Concat",
                List.of(node("Gather", node("Shape", rows), graph.longs(0)), candidates), attribute("axis", 0L)));
        String[] top = topK(gather(rows, columns), k);
        return new Top(top[0], gather(columns, clipped(top[1], candidates)));
    }

    private String[] topK(String rows, String k) {
        return graph.nodes("TopK", List.of(rows, k), 2,
                attribute("axis", -1L), attribute("largest", 1L), attribute("sorted", 1L));
    }

    /**
     * Clips columns to [0, end): for a row with NaN, TopK may return arbitrary columns, and reading there returns garbage
     * or crashes.
     */
    private String clipped(String columns, String end) {
        return node("Max", node("Min", columns, node("Sub", end, graph.longs(1))), graph.longs(0));
    }

    private String gather(String rows, String columns) {
        return graph.node("GatherElements", List.of(rows, columns), attribute("axis", 1L));
    }

    private String node(String op, String... inputs) {
        return graph.node(op, List.of(inputs));
    }
}
