// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.onnx;

import static org.potstill.checkpoints.graph.OnnxGraph.attribute;

import java.util.List;
import onnx.Onnx.TensorProto.DataType;

/** The matrix products of linear layers, of matrices in single precision, in the precision of the training graph. */
record LinearProducts(Operators ops, Precision precision) {
    /** Precision of the products of linear layers. */
    enum Precision {
        FP32,
        /** Operands and results rounded to bfloat16, sums in single precision. ONNX Runtime has these products on GPUs only. */
        BF16,
        /** The same from products in single precision, for any device. */
        BF16_EMULATED
    }

    /** Returns {@code x·wᵀ}, of {@code [N, in]} and {@code [out, in]}. */
    String timesTransposed(String x, String w) {
        return product(x, 0, w, 1);
    }

    /** Returns {@code x·w}, of {@code [N, out]} and {@code [out, in]}. */
    String times(String x, String w) {
        return product(x, 0, w, 0);
    }

    /** Returns {@code dyᵀ·x}, of {@code [N, out]} and {@code [N, in]}: a weight's gradient. */
    String transposedTimes(String dy, String x) {
        return product(dy, 1, x, 0);
    }

    private String product(String a, long transposeA, String b, long transposeB) {
        return switch (precision) {
            case FP32 -> gemm(a, transposeA, b, transposeB);
            case BF16 -> ops.floats(gemm(bf16(a), transposeA, bf16(b), transposeB));
            case BF16_EMULATED -> rounded(gemm(rounded(a), transposeA, rounded(b), transposeB));
        };
    }

    private String gemm(String a, long transposeA, String b, long transposeB) {
        return ops.graph().node("Gemm", List.of(a, b), attribute("transA", transposeA), attribute("transB", transposeB));
    }

    private String bf16(String x) {
        return ops.cast(x, DataType.BFLOAT16);
    }

    private String rounded(String x) {
        return ops.floats(bf16(x));
    }
}
