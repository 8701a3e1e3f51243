// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.nio.file.Path;
import java.util.Objects;
import org.potstill.checkpoints.io.Precision;
import org.potstill.softlabels.TargetSpec;

/**
 * Options of a teacher on this machine.
 *
 * @param engine    ONNX Runtime or ND4J
 * @param device    AUTO is CUDA if it works and otherwise the CPU; CUDA never falls back
 * @param gpu       CUDA's number of the GPU among those visible to this process, from 0; ignored on the CPU
 * @param precision FP32 anywhere, FP16 with ONNX Runtime on a GPU, INT8 with ONNX Runtime on a CPU,
 *                  BF16 on a CPU with instructions for it
 * @param threads   CPU threads per forward pass, at least 1; match the cores available to this process
 * @param scratch   folder on a local disk for the dequantised weights, 4 bytes per parameter, kept between runs
 * @param targets   expected kind of targets; for another kind, an engine reloads its model
 */
public record TeacherOptions(Engine engine, Device device, int gpu, Precision precision, int threads, Path scratch,
        TargetSpec targets) {
    public enum Engine { ONNX, ND4J }

    public enum Device { AUTO, CPU, CUDA }

    public TeacherOptions {
        Objects.requireNonNull(engine);
        Objects.requireNonNull(device);
        Objects.requireNonNull(precision);
        Objects.requireNonNull(scratch);
        Objects.requireNonNull(targets);
        if (threads < 1) {
            throw TeacherErrors.badThreads(threads);
        }
        if (gpu < 0) {
            throw TeacherErrors.badGpu(gpu);
        }
        boolean forCpu = precision == Precision.INT8 || precision == Precision.BF16;
        if (forCpu && device == Device.AUTO) {
            device = Device.CPU;
        }
        if (precision == Precision.FP16 && device == Device.AUTO) {
            device = Device.CUDA;
        }
        if (precision != Precision.FP32 && engine == Engine.ND4J) {
            throw TeacherErrors.nd4jPrecision(precision);
        }
        if (forCpu && device == Device.CUDA || precision == Precision.FP16 && device == Device.CPU) {
            throw TeacherErrors.precisionOfDevice(precision, device);
        }
    }

    /** Makes options for ONNX Runtime in single precision; on CUDA, for the first GPU. */
    public TeacherOptions(Device device, int threads, Path scratch) {
        this(Engine.ONNX, device, 0, Precision.FP32, threads, scratch);
    }

    /** Makes options for top-k targets. */
    public TeacherOptions(Engine engine, Device device, int gpu, Precision precision, int threads, Path scratch) {
        this(engine, device, gpu, precision, threads, scratch, TargetSpec.topK(1));
    }

    public TeacherOptions with(Precision other) {
        return new TeacherOptions(engine, device, gpu, other, threads, scratch, targets);
    }
}
