// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.potstill.kernels.Primitives.check;

import java.util.Arrays;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Causal grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245) by oneDNN, for a block of queries of one sequence and all
 * heads at a time. Scores and softmax are in single precision, probabilities in the type of the values.
 *
 * <p>A row of {@code qkv} holds the query heads, the key heads and the value heads, in this order; queries and keys are already
 * rotated. Rows that no query sees may hold any finite numbers.
 */
public final class CausalAttention implements AutoCloseable {
    /**
     * The shape of heads.
     *
     * @param scale of the scores
     * @param cap   softcap of the scaled scores; 0 for none
     */
    public record Heads(int queries, int keyValues, int width, double scale, double cap) {
        int group() {
            return queries / keyValues;
        }

        int columns() {
            return (queries + 2 * keyValues) * width;
        }
    }

    private record Shape(int queries, int keys) {
    }

    private record Kernels(Kernel scores, Kernel softmax, Kernel mix) {
        void close() {
            scores.close();
            softmax.close();
            mix.close();
        }
    }

    private record Scratch(RowMatrix scores, RowMatrix probabilities, int capacity) {
        void close() {
            scores.close();
            probabilities.close();
        }
    }

    /** Each thread's copies of the lowest number. */
    private static final ThreadLocal<float[]> LOWEST = ThreadLocal.withInitial(() -> new float[0]);

    private final Heads heads;
    private final RowMatrix.Type type;
    private final Map<Shape, Kernels> kernels = new ConcurrentHashMap<>();
    private final Queue<Scratch> idle = new ConcurrentLinkedQueue<>();

    public CausalAttention(Heads heads, RowMatrix.Type type) {
        this.heads = heads;
        this.type = type;
    }

    /**
     * Computes the attention of a block of queries.
     *
     * @param qkv      projections
     * @param sequence row of the sequence's first position
     * @param first    the sequence's position of the block's first query
     * @param queries  number of queries
     * @param window   number of keys that a query sees, including its own; 0 for all up to its own
     * @param out      receives the heads' outputs, one row per query
     * @param outRow   row of the first
     */
    public void attend(RowMatrix qkv, int sequence, int first, int queries, int window, RowMatrix out, int outRow) {
        int end = first + queries;
        int begin = window == 0 ? 0 : Math.max(0, first + 1 - window) / queries * queries;
        int keys = end - begin;
        Kernels of = kernels.computeIfAbsent(new Shape(queries, keys), this::compile);
        Scratch scratch = take(heads.queries * queries * keys);
        RowMatrix scores = scratch.scores;
        RowMatrix probabilities = scratch.probabilities;
        of.scores.run(qkv.address(sequence + first, 0), qkv.address(sequence + begin, heads.queries * heads.width), scores.address(0, 0));
        hide(scores, first - begin, queries, keys, window);
        of.softmax.run(scores.address(0, 0), probabilities.address(0, 0));
        of.mix.run(probabilities.address(0, 0), qkv.address(sequence + begin, (heads.queries + heads.keyValues) * heads.width),
                out.address(outRow, 0));
        idle.add(scratch);
    }

    /** Gives scores of keys that a query does not see the lowest value. */
    private void hide(RowMatrix scores, int before, int queries, int keys, int window) {
        float[] lowest = LOWEST.get();
        if (lowest.length < keys) {
            lowest = new float[keys];
            Arrays.fill(lowest, -Float.MAX_VALUE);
            LOWEST.set(lowest);
        }
        for (int row = 0; row < heads.queries * queries; row++) {
            int last = before + row % queries;
            int after = keys - 1 - last;
            if (after > 0) {
                scores.floats().put(row * keys + last + 1, lowest, 0, after);
            }
            int gone = window == 0 ? 0 : Math.max(0, last + 1 - window);
            if (gone > 0) {
                scores.floats().put(row * keys, lowest, 0, gone);
            }
        }
    }

    private Scratch take(int capacity) {
        Scratch scratch = idle.poll();
        if (scratch != null && scratch.capacity < capacity) {
            scratch.close();
            scratch = null;
        }
        return scratch != null ? scratch
                : new Scratch(new RowMatrix(RowMatrix.Type.FP32, 1, capacity), new RowMatrix(type, 1, capacity), capacity);
    }

    private Kernels compile(Shape shape) {
        int keyValues = heads.keyValues;
        int group = heads.group();
        int width = heads.width;
        long row = heads.columns();
        long outRow = (long) heads.queries * width;
        long n = shape.queries;
        long keys = shape.keys;
        long queries = Primitives.description(type.code(), new long[] {keyValues, group, n, width}, new long[] {(long) group * width, width, row, 1});
        long transposedKeys = Primitives.description(type.code(), new long[] {keyValues, 1, width, keys}, new long[] {width, width, 1, row});
        long values = Primitives.description(type.code(), new long[] {keyValues, 1, keys, width}, new long[] {width, width, row, 1});
        long[] square = {keyValues, group, n, keys};
        long[] dense = {group * n * keys, n * keys, keys, 1};
        long scores = Primitives.description(Primitives.F32, square, dense);
        long weights = Primitives.description(type.code(), square, dense);
        long out = Primitives.description(type.code(), new long[] {keyValues, group, n, width}, new long[] {(long) group * width, width, outRow, 1});
        long allScores = Primitives.matrix(Primitives.F32, heads.queries * n, keys);
        long allWeights = Primitives.matrix(type.code(), heads.queries * n, keys);
        int[] operands = {Primitives.SOURCE, Primitives.WEIGHTS, Primitives.TARGET};
        long[] made = new long[1];
        long none = operations(false);
        long scaled = operations(true);
        long plain = Primitives.attributes(none);
        long scaling = Primitives.attributes(scaled);
        check("describe scores", Primitives.dnnl_matmul_primitive_desc_create(made, Primitives.ENGINE, queries, transposedKeys, 0, scores, scaling));
        Kernel first = new Kernel(made[0], operands, queries, transposedKeys, scores);
        check("describe softmax", Primitives.dnnl_softmax_forward_primitive_desc_create(made, Primitives.ENGINE, Primitives.FORWARD_INFERENCE,
                Primitives.SOFTMAX, allScores, allWeights, 1, plain));
        Kernel second = new Kernel(made[0], new int[] {Primitives.SOURCE, Primitives.TARGET}, allScores, allWeights);
        check("describe mixing", Primitives.dnnl_matmul_primitive_desc_create(made, Primitives.ENGINE, weights, values, 0, out, plain));
        Kernel third = new Kernel(made[0], operands, weights, values, out);
        Primitives.dnnl_primitive_attr_destroy(plain);
        Primitives.dnnl_primitive_attr_destroy(scaling);
        Primitives.dnnl_post_ops_destroy(none);
        Primitives.dnnl_post_ops_destroy(scaled);
        return new Kernels(first, second, third);
    }

    private long operations(boolean scaled) {
        long[] made = new long[1];
        check("create operations", Primitives.dnnl_post_ops_create(made));
        if (scaled) {
            boolean capped = heads.cap > 0;
            float scale = (float) (capped ? heads.scale / heads.cap : heads.scale);
            check("scale", Primitives.dnnl_post_ops_append_eltwise(made[0], Primitives.LINEAR, scale, 0));
            if (capped) {
                check("cap", Primitives.dnnl_post_ops_append_eltwise(made[0], Primitives.TANH, 0, 0));
                check("scale", Primitives.dnnl_post_ops_append_eltwise(made[0], Primitives.LINEAR, (float) heads.cap, 0));
            }
        }
        return made[0];
    }

    @Override
    public void close() {
        kernels.values().forEach(Kernels::close);
        for (Scratch scratch = idle.poll(); scratch != null; scratch = idle.poll()) {
            scratch.close();
        }
    }
}
