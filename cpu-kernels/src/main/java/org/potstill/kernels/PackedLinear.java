// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import static org.potstill.kernels.Primitives.check;

import java.nio.FloatBuffer;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.javacpp.FloatPointer;

/**
 * A linear layer {@code y = f(x·wᵀ + bias)} by oneDNN, for weights of one shape, each packed once into the layout that its matrix
 * products read. Sums are in single precision. A row of y depends only on its row of x: the order of additions is the same for
 * any number of rows.
 */
public final class PackedLinear implements AutoCloseable {
    /** What follows the product. MULTIPLY takes another matrix of the shape and type of y. */
    public enum Ending { STORE, ADD, SILU, GELU, MULTIPLY }

    /** A weight, with its bias. */
    public static final class Weight implements AutoCloseable {
        private final AlignedMemory packed;
        private final FloatPointer bias;

        private Weight(AlignedMemory packed, FloatPointer bias) {
            this.packed = packed;
            this.bias = bias;
        }

        @Override
        public void close() {
            packed.close();
            if (bias != null) {
                bias.close();
            }
        }
    }

    private final int in;
    private final int out;
    private final boolean biased;
    private final RowMatrix.Type from;
    private final RowMatrix.Type to;
    private final Ending ending;
    private final long packedLayout;
    private final Map<Integer, Kernel> kernels = new ConcurrentHashMap<>();

    /**
     * Chooses the layout of weights.
     *
     * @param rows number of rows that the layout is chosen for; others are possible
     * @param from type of x and of the packed weights
     * @param to   type of y
     */
    public PackedLinear(int in, int out, boolean biased, RowMatrix.Type from, RowMatrix.Type to, Ending ending, int rows) {
        this.in = in;
        this.out = out;
        this.biased = biased;
        this.from = from;
        this.to = to;
        this.ending = ending;
        long any = Primitives.anyLayout(from.code(), in, out);
        long[] described = describe(rows, any);
        this.packedLayout = Primitives.copy(Primitives.dnnl_primitive_desc_query_md(described[0], Primitives.QUERY_WEIGHTS, 0));
        Primitives.dnnl_primitive_desc_destroy(described[0]);
        for (int i = 1; i < described.length; i++) {
            if (described[i] != 0) {
                Primitives.dnnl_memory_desc_destroy(described[i]);
            }
        }
    }

    /**
     * Packs a weight.
     *
     * @param weight [out, in], direct
     * @param bias   [out]; null if the layer has none
     */
    public Weight pack(FloatBuffer weight, float[] bias) {
        AlignedMemory packed = new AlignedMemory(Primitives.dnnl_memory_desc_get_size(packedLayout));
        long stored = Primitives.description(Primitives.F32, new long[] {in, out}, new long[] {1, in});
        long[] made = new long[1];
        long operations = operations();
        long attributes = Primitives.attributes(operations);
        check("describe the packing of a weight", Primitives.dnnl_reorder_primitive_desc_create(made, stored, Primitives.ENGINE,
                packedLayout, Primitives.ENGINE, attributes));
        Primitives.dnnl_primitive_attr_destroy(attributes);
        Primitives.dnnl_post_ops_destroy(operations);
        try (Kernel packing = new Kernel(made[0], new int[] {Primitives.SOURCE, Primitives.TARGET}, stored, Primitives.copy(packedLayout))) {
            packing.run(new FloatPointer(weight).address(), packed.address());
        }
        return new Weight(packed, bias == null ? null : new FloatPointer(bias));
    }

    /**
     * Computes rows {@code [toRow, toRow + rows)} of y from as many of x.
     *
     * @param other see {@link Ending}; its rows from {@code toRow} on, or null
     */
    public void apply(RowMatrix x, int fromRow, Weight weight, RowMatrix y, int toRow, int rows, RowMatrix other) {
        Kernel kernel = kernels.computeIfAbsent(rows, this::compile);
        long source = x.address(fromRow, 0);
        long target = y.address(toRow, 0);
        long packed = weight.packed.address();
        long bias = biased ? weight.bias.address() : 0;
        long operand = ending == Ending.MULTIPLY ? other.address(toRow, 0) : 0;
        if (biased && operand != 0) {
            kernel.run(source, packed, target, bias, operand);
        } else if (biased || operand != 0) {
            kernel.run(source, packed, target, biased ? bias : operand);
        } else {
            kernel.run(source, packed, target);
        }
    }

    /** Returns the number of columns of x. */
    public int in() {
        return in;
    }

    /** Returns the number of columns of y. */
    public int out() {
        return out;
    }

    private Kernel compile(int rows) {
        long[] described = describe(rows, Primitives.copy(packedLayout));
        int[] kinds = new int[3 + (biased ? 1 : 0) + (ending == Ending.MULTIPLY ? 1 : 0)];
        long[] descriptions = new long[kinds.length];
        kinds[0] = Primitives.SOURCE;
        kinds[1] = Primitives.WEIGHTS;
        kinds[2] = Primitives.TARGET;
        System.arraycopy(described, 1, descriptions, 0, 3);
        if (biased) {
            kinds[3] = Primitives.BIAS;
            descriptions[3] = described[4];
        }
        if (ending == Ending.MULTIPLY) {
            kinds[kinds.length - 1] = Primitives.operandOfOperation(0);
            descriptions[kinds.length - 1] = Primitives.matrix(to.code(), rows, out);
        }
        return new Kernel(described[0], kinds, descriptions);
    }

    /** Describes the product of some rows, followed by x, weights, y and bias; 0 for no bias. */
    private long[] describe(int rows, long weights) {
        long x = Primitives.matrix(from.code(), rows, in);
        long y = Primitives.matrix(to.code(), rows, out);
        long bias = biased ? Primitives.matrix(Primitives.F32, 1, out) : 0;
        long operations = operations();
        long operand = 0;
        switch (ending) {
            case STORE -> { }
            case ADD -> check("add", Primitives.dnnl_post_ops_append_sum(operations, 1, 0, to.code()));
            case SILU -> check("apply SiLU", Primitives.dnnl_post_ops_append_eltwise(operations, Primitives.SWISH, 1, 0));
            case GELU -> check("apply GELU", Primitives.dnnl_post_ops_append_eltwise(operations, Primitives.GELU_TANH, 0, 0));
            case MULTIPLY -> {
                operand = Primitives.matrix(to.code(), rows, out);
                check("multiply", Primitives.dnnl_post_ops_append_binary(operations, Primitives.MULTIPLY, operand));
            }
        }
        long attributes = Primitives.attributes(operations);
        long[] made = new long[1];
        check("multiply " + rows + " x " + in + " x " + out,
                Primitives.dnnl_matmul_primitive_desc_create(made, Primitives.ENGINE, x, weights, bias, y, attributes));
        Primitives.dnnl_primitive_attr_destroy(attributes);
        Primitives.dnnl_post_ops_destroy(operations);
        if (operand != 0) {
            Primitives.dnnl_memory_desc_destroy(operand);
        }
        return new long[] {made[0], x, weights, y, bias};
    }

    private static long operations() {
        long[] made = new long[1];
        check("create operations", Primitives.dnnl_post_ops_create(made));
        return made[0];
    }

    @Override
    public void close() {
        kernels.values().forEach(Kernel::close);
        Primitives.dnnl_memory_desc_destroy(packedLayout);
    }
}
