package org.potstill.student;

/**
 * Numbers that linear layers multiply in. Parameters, optimizer, attention, norms and loss are in single precision either
 * way.
 */
public enum MatrixPrecision {
    FP32,
    /**
     * Operands are rounded to bfloat16, products summed in single precision, as under PyTorch's autocast. Needs a processor
     * with instructions for it (Zen 4, Cooper Lake, Sapphire Rapids and later).
     */
    BF16
}
