// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.util.Locale;
import org.potstill.checkpoints.io.Precision;
import org.potstill.kernels.CpuPeak;
import org.potstill.student.options.MatrixPrecision;

/** Numbers in which most operations of a model are done. */
public enum Arithmetic {
    FP32(CpuPeak.Numbers.FP32),
    /** On GPUs only. */
    FP16(null),
    BF16(CpuPeak.Numbers.BF16),
    INT8(CpuPeak.Numbers.INT8);

    private final CpuPeak.Numbers onCpu;

    Arithmetic(CpuPeak.Numbers onCpu) {
        this.onCpu = onCpu;
    }

    public static Arithmetic of(Precision precision) {
        return valueOf(precision.name());
    }

    public static Arithmetic of(MatrixPrecision precision) {
        return valueOf(precision.name());
    }

    CpuPeak.Numbers onCpu() {
        return onCpu;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
