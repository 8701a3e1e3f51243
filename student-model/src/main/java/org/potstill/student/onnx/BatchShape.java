// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import java.util.HashMap;
import java.util.Map;
import org.potstill.checkpoints.model.CausalLmConfig;

/**
 * What depends on the batch's shape alone and is computed once per step: shapes and masks.
 *
 * <p>Sequences are padded on the right to {@code [B, T]}. The causal mask hides padding from tokens; what padding itself sees has no
 * weight in the loss.
 *
 * <p>Shapes begin with {@code Shape}, whose result ONNX Runtime has on the host even if it runs on a GPU; it then computes with it there.
 */
final class BatchShape {
    private final Operators ops;
    private final CausalLmConfig config;
    private final String batchAndTime;
    private final String time;
    private final String positions;
    private final Map<Integer, String> masks = new HashMap<>();
    private final Map<Long, String> ones = new HashMap<>();

    /**
     * @param batch     any value {@code [B, T]}
     * @param positions {@code [P]}, INT64, from 0; at least T
     */
    BatchShape(Operators ops, CausalLmConfig config, String batch, String positions) {
        this.ops = ops;
        this.config = config;
        this.batchAndTime = ops.node("Shape", batch);
        this.time = ops.slice(batchAndTime, ops.graph().longs(1), ops.graph().longs(2));
        this.positions = ops.slice(positions, ops.graph().longs(0), time);
    }

    /** Returns the number of rows, {@code [1]}. */
    String rows() {
        return ops.mul(ops.slice(batchAndTime, ops.graph().longs(0), ops.graph().longs(1)), time);
    }

    /**
     * Sums columns as a product with ones: a GPU's reduction would add in any order.
     *
     * @param x      {@code [B·T·perRow, C]}
     * @return {@code [1, C]}
     */
    String columnSums(String x, long perRow) {
        return ops.node("MatMul", ones.computeIfAbsent(perRow, this::newOnes), x);
    }

    private String newOnes(long perRow) {
        String count = ops.mul(rows(), ops.graph().longs(perRow));
        return ops.node("Expand", ops.graph().scalar(1f), ops.concat(0, ops.graph().longs(1), count));
    }

    /** Splits the columns of rows into heads, {@code [B·T, n·D]} to {@code [B, n, T, D]}. */
    String heads(String x, long count) {
        String shape = ops.concat(0, batchAndTime, ops.graph().longs(count, config.headDim()));
        return ops.transpose(ops.reshape(x, shape), 0, 2, 1, 3);
    }

    /** Reverses {@link #heads}. */
    String merged(String x, long count) {
        return ops.reshape(ops.transpose(x, 0, 2, 1, 3), -1, count * config.headDim());
    }

    /** Returns {@code [B, n, T, D]} as {@code [B·n/group, group·T, D]}. */
    String grouped(String x, long group) {
        String rows = group == 1 ? time : ops.mul(time, ops.graph().longs(group));
        return ops.reshape(x, ops.concat(0, ops.graph().longs(-1), rows, ops.graph().longs(config.headDim())));
    }

    /** Reverses {@link #grouped}. */
    String ungrouped(String x, long count) {
        return ops.reshape(x, ops.concat(0, ops.graph().longs(-1, count), time, ops.graph().longs(config.headDim())));
    }

    /** Returns scores as one square per head, {@code [B·heads, T, T]}. */
    String squares(String scores) {
        return ops.reshape(scores, ops.concat(0, ops.graph().longs(-1), time, time));
    }

    /** Returns squares with the rows of a group's heads below each other, {@code [B·heads/group, group·T, T]}. */
    String groupedSquares(String squares, long group) {
        return ops.reshape(squares, ops.concat(0, ops.graph().longs(-1), ops.mul(time, ops.graph().longs(group)), time));
    }

    /**
     * Returns the term to add to scores, {@code [T, T]}: the lowest number for keys that a query does not see.
     *
     * @param window number of keys that a query sees, including its own; 0 for all up to its own
     */
    String mask(int window) {
        return masks.computeIfAbsent(window, this::newMask);
    }

    private String newMask(int window) {
        String query = ops.unsqueeze(positions, 1);
        String hidden = ops.node("Greater", positions, query);
        if (window > 0) {
            String gone = ops.node("LessOrEqual", positions, ops.sub(query, ops.graph().scalar((long) window)));
            hidden = ops.node("Or", hidden, gone);
        }
        return ops.node("Where", hidden, ops.graph().scalar(-Float.MAX_VALUE), ops.graph().scalar(0f));
    }
}
