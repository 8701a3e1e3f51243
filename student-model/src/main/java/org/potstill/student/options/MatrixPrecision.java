// SPDX-License-Identifier: Apache-2.0
package org.potstill.student.options;

/**
 * Precision of the matrix products of linear layers. Parameters, optimizer, attention, norms and loss are always in single
 * precision.
 */
public enum MatrixPrecision {
    FP32,
    /**
     * Operands rounded to bfloat16, products accumulated in single precision, as under PyTorch's autocast. Needs a processor
     * with bfloat16 instructions (Zen 4, Cooper Lake, Sapphire Rapids and later).
     */
    BF16
}
