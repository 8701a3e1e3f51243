// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.hardware;

import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The peaks of a model of GPU, in TFLOP/s.
 *
 * @param name in nvidia-smi's spelling
 * @param fp16 on dense tensor cores, of fp16 and, from Ampere on, bf16
 * @param fp32 outside of tensor cores, as neither engine computes fp32 in TF32
 */
record GpuModel(Pattern name, double fp16, double fp32) {
    /** From NVIDIA's data sheets, whose figures with sparsity are halved, and A10G's, which AWS publishes. The first that matches counts. */
    private static final List<GpuModel> KNOWN = List.of(
            of("H200 NVL", 835, 60), of("H200", 989, 67), of("H100 PCIe", 756, 51), of("H100 NVL", 835, 60), of("H100", 989, 67),
            of("A100", 312, 19.5), of("A10G", 70, 31.5), of("A10", 125, 31.2), of("L40S", 362, 91.6), of("L4", 121, 30.3), of("T4", 65, 8.1),
            of("V100S", 130, 16.4), of("V100-PCIE", 112, 14), of("V100", 125, 15.7));

    private static GpuModel of(String name, double fp16, double fp32) {
        return new GpuModel(Pattern.compile("\\b" + name + "\\b"), fp16, fp32);
    }

    /** Finds a model by the name that nvidia-smi prints. */
    static Optional<GpuModel> find(String name) {
        return KNOWN.stream().filter(model -> model.name.matcher(name).find()).findFirst();
    }

    /** Returns the peak in TFLOP/s; NaN for numbers in which no engine computes on GPUs. */
    double peak(Arithmetic arithmetic) {
        return switch (arithmetic) {
            case FP32 -> fp32;
            case FP16 -> fp16;
            case BF16, INT8 -> Double.NaN;
        };
    }
}
