// SPDX-License-Identifier: Apache-2.0
package org.potstill.kernels;

import com.sun.jna.Native;

/** The functions and constants of oneDNN's C interface that {@link Kernel} needs; handles and addresses are longs. */
final class Primitives {
    static final int F32 = 3;
    static final int BF16 = 2;

    static final int SOURCE = 1;
    static final int SECOND_SOURCE = 2;
    static final int TARGET = 17;
    static final int WEIGHTS = 33;
    static final int BIAS = 41;
    static final int SCRATCHPAD = 80;

    static final int LINEAR = 0x26;
    static final int TANH = 0x21;
    static final int GELU_TANH = 0x2b;
    static final int SWISH = 0x2c;
    static final int MULTIPLY = 0x1fff1;
    static final int SOFTMAX = 0x30000;

    static final int QUERY_WEIGHTS = 131;
    static final int QUERY_SCRATCHPAD = 136;
    static final int FORWARD_INFERENCE = 96;

    private static final int CPU = 1;
    private static final int IN_ORDER = 1;
    private static final int ANY_LAYOUT = 1;
    private static final int USER_SCRATCHPAD = 1;
    private static final int POST_OPERATION = 32768;

    /** The engine that all primitives are made for, and a stream, which on CPUs has no state. */
    static final long ENGINE;
    static final long STREAM;

    static {
        Native.register(Primitives.class, OneDnn.library());
        OneDnn.computeAlone();
        long[] made = new long[1];
        check("create its engine", dnnl_engine_create(made, CPU, 0));
        ENGINE = made[0];
        check("create its stream", dnnl_stream_create(made, ENGINE, IN_ORDER));
        STREAM = made[0];
    }

    private Primitives() {
    }

    static void check(String what, int status) {
        if (status != 0) {
            throw new IllegalStateException("oneDNN cannot " + what + ": status " + status);
        }
    }

    /** Returns the argument of the operand of an operation that follows a matrix product. */
    static int operandOfOperation(int index) {
        return POST_OPERATION * (index + 1) | SECOND_SOURCE;
    }

    /** Copies a description. */
    static long copy(long description) {
        long[] made = new long[1];
        check("copy a description", dnnl_memory_desc_clone(made, description));
        return made[0];
    }

    /** Describes a tensor in memory. */
    static long description(int type, long[] shape, long[] strides) {
        long[] made = new long[1];
        check("describe a tensor", dnnl_memory_desc_create_with_strides(made, shape.length, shape, type, strides));
        return made[0];
    }

    /** Describes a row-major matrix. */
    static long matrix(int type, long rows, long columns) {
        return description(type, new long[] {rows, columns}, new long[] {columns, 1});
    }

    /** Describes a tensor whose layout the primitive chooses. */
    static long anyLayout(int type, long... shape) {
        long[] made = new long[1];
        check("describe a tensor", dnnl_memory_desc_create_with_tag(made, shape.length, shape, type, ANY_LAYOUT));
        return made[0];
    }

    /** Returns the attributes of a primitive that gets its scratchpad from the caller. */
    static long attributes(long operations) {
        long[] made = new long[1];
        check("create attributes", dnnl_primitive_attr_create(made));
        check("set the scratchpad", dnnl_primitive_attr_set_scratchpad_mode(made[0], USER_SCRATCHPAD));
        check("set operations", dnnl_primitive_attr_set_post_ops(made[0], operations));
        return made[0];
    }

    static native int dnnl_engine_create(long[] engine, int kind, long index);

    static native int dnnl_stream_create(long[] stream, long engine, int flags);

    static native int dnnl_memory_desc_create_with_strides(long[] description, int dimensions, long[] shape, int type, long[] strides);

    static native int dnnl_memory_desc_create_with_tag(long[] description, int dimensions, long[] shape, int type, int tag);

    static native int dnnl_memory_desc_clone(long[] description, long existing);

    static native long dnnl_memory_desc_get_size(long description);

    static native int dnnl_memory_desc_destroy(long description);

    static native int dnnl_memory_create(long[] memory, long description, long engine, long address);

    static native int dnnl_memory_set_data_handle(long memory, long address);

    static native int dnnl_memory_destroy(long memory);

    static native int dnnl_post_ops_create(long[] operations);

    static native int dnnl_post_ops_append_eltwise(long operations, int algorithm, float alpha, float beta);

    static native int dnnl_post_ops_append_sum(long operations, float scale, int zeroPoint, int type);

    static native int dnnl_post_ops_append_binary(long operations, int algorithm, long operand);

    static native int dnnl_post_ops_destroy(long operations);

    static native int dnnl_primitive_attr_create(long[] attributes);

    static native int dnnl_primitive_attr_set_scratchpad_mode(long attributes, int mode);

    static native int dnnl_primitive_attr_set_post_ops(long attributes, long operations);

    static native int dnnl_primitive_attr_destroy(long attributes);

    static native int dnnl_matmul_primitive_desc_create(long[] primitive, long engine, long source, long weights, long bias, long target,
            long attributes);

    static native int dnnl_softmax_forward_primitive_desc_create(long[] primitive, long engine, int kind, int algorithm, long source,
            long target, int axis, long attributes);

    static native int dnnl_reorder_primitive_desc_create(long[] primitive, long source, long sourceEngine, long target, long targetEngine,
            long attributes);

    static native long dnnl_primitive_desc_query_md(long primitive, int what, int index);

    static native int dnnl_primitive_desc_destroy(long primitive);

    static native int dnnl_primitive_create(long[] primitive, long description);

    static native int dnnl_primitive_execute(long primitive, long stream, int count, long arguments);

    static native int dnnl_primitive_destroy(long primitive);
}
