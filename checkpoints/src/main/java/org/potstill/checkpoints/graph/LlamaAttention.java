// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.graph;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;
import org.potstill.checkpoints.io.Precision;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * Attention of whole sequences, in two versions that tests compare: {@link PlainAttention} and ONNX Runtime's {@code
 * GroupQueryAttention}.
 *
 * <p>Rows are packed on input and output. In between they are spread to {@code [B, T]}: each sequence attends to itself
 * alone.
 */
final class LlamaAttention implements LlamaLayers.Attention {
    private final OnnxGraph graph;
    private final CausalLmConfig config;
    private final String positions;
    private final boolean fused;
    private final String batchAndTime;
    private final String spread;
    private final PlainAttention plain;
    private final RotaryTables tables;
    private final GroupQuery query;
    private String mask;
    private String slidingMask;
    private String lastPositions;
    private String totalLength;

    /**
     * @param inputIds  [B, T]
     * @param positions [N], index in {@code b·T + t} of each packed row; null if rows are not packed but [B·T, …]
     * @param stored    tables [positions, D/2]
     */
    LlamaAttention(OnnxGraph graph, CausalLmConfig config, Precision precision, String inputIds, String positions,
            RotaryTables stored, boolean fused) {
        this.graph = graph;
        this.config = config;
        this.positions = positions;
        this.fused = fused;
        this.batchAndTime = graph.node("Shape", List.of(inputIds));
        this.spread = positions == null ? null : spreading();
        this.plain = new PlainAttention(graph, config, precision, batchAndTime);
        this.query = new GroupQuery(config, stored);
        String time = graph.node("Gather", List.of(batchAndTime, graph.scalar(1)), attribute("axis", 0L));
        if (fused) {
            tables = stored;
            prepareFused(time);
        } else {
            String range = graph.node("Range", List.of(graph.scalar(0), time, graph.scalar(1)));
            tables = stored.map(table -> plain.cast(graph.node("Gather", List.of(table, range)), DataType.FLOAT));
            preparePlain(range);
        }
    }

    @Override
    public String attend(String q, String k, String v, int layer) {
        String attended = fused ? fused(q, k, v, layer)
                : plain.mix(plain.rotate(plain.queries(spread(q)), tables, layer), plain.rotate(plain.keys(spread(k)), tables, layer),
                        plain.keys(spread(v)), config.slidingWindow(layer) > 0 ? slidingMask : mask);
        return positions == null ? attended : graph.node("Gather", List.of(attended, positions));
    }

    /** Returns [B·T], the packed row for each place; padding gets row 0. */
    private String spreading() {
        String nowhere = graph.node("Expand", List.of(graph.scalar(0), graph.node("ReduceProd", List.of(batchAndTime))));
        String count = graph.node("Squeeze", List.of(graph.node("Shape", List.of(positions))));
        String packedRows = graph.node("Range", List.of(graph.scalar(0), count, graph.scalar(1)));
        return graph.node("ScatterElements", List.of(nowhere, positions, packedRows), attribute("axis", 0L));
    }

    private void preparePlain(String range) {
        String query = graph.node("Unsqueeze", List.of(range, graph.longs(1)));
        String key = graph.node("Unsqueeze", List.of(range, graph.longs(0)));
        String future = graph.node("Less", List.of(query, key));
        mask = plain.mask(future);
        int window = config.variant().slidingWindow();
        if (window > 0) {
            slidingMask = plain.mask(graph.node("Or", List.of(future, plain.gone(query, key, window))));
        }
    }

    private void prepareFused(String time) {
        String batch = graph.node("Gather", List.of(batchAndTime, graph.longs(0)));
        totalLength = graph.cast(time, DataType.INT32);
        // All rows count as full: the outputs for padding are computed and ignored.
        lastPositions = graph.cast(graph.node("Expand",
                List.of(graph.node("Sub", List.of(time, graph.scalar(1))), batch)), DataType.INT32);
    }

    private String fused(String q, String k, String v, int layer) {
        long heads = config.numAttentionHeads();
        long keyValueHeads = config.numKeyValueHeads();
        String attended = graph.contrib(GroupQuery.OPERATOR, query.inputs(layer, batched(q, heads), batched(k, keyValueHeads),
                batched(v, keyValueHeads), "", "", lastPositions, totalLength), 3, query.attributes(layer));
        return graph.node("Reshape", List.of(attended, graph.longs(-1, heads * config.headDim())));
    }

    /** Spreads packed rows, [N, n·D] to [B, T, n·D]. */
    private String batched(String x, long n) {
        return query.batched(graph, batchAndTime, spread(x), n);
    }

    private String spread(String x) {
        return spread == null ? x : graph.node("Gather", List.of(x, spread));
    }
}
