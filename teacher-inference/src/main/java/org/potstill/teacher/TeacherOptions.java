package org.potstill.teacher;

import java.nio.file.Path;
import java.util.Objects;
import org.potstill.checkpoints.Precision;
import org.potstill.softlabels.TargetSpec;

/**
 * How the teacher runs on this machine.
 *
 * @param engine    what computes: ONNX Runtime or ND4J
 * @param device    AUTO is CUDA where it works and the CPU elsewhere; CUDA never falls back
 * @param gpu       number of the GPU as CUDA counts those that this process may see, from 0; of no account on the CPU
 * @param precision FP32 anywhere, FP16 with ONNX Runtime on a GPU, INT8 with ONNX Runtime on a CPU
 * @param threads   CPU threads for one forward pass, at least 1; match the cores that this process may use
 * @param scratch   folder on a local disk for the dequantised weights, 4 bytes a parameter, kept between runs
 * @param targets   what it will be asked for: asked for another kind, an engine loads its model again
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
        if (precision == Precision.INT8 && device == Device.AUTO) {
            device = Device.CPU;
        }
        if (precision == Precision.FP16 && device == Device.AUTO) {
            device = Device.CUDA;
        }
        if (precision != Precision.FP32 && engine == Engine.ND4J) {
            throw TeacherErrors.nd4jPrecision(precision);
        }
        if (precision == Precision.INT8 && device == Device.CUDA || precision == Precision.FP16 && device == Device.CPU) {
            throw TeacherErrors.precisionOfDevice(precision, device);
        }
    }

    /** On ONNX Runtime in single precision, on the first GPU where it is on one. */
    public TeacherOptions(Device device, int threads, Path scratch) {
        this(Engine.ONNX, device, 0, Precision.FP32, threads, scratch);
    }

    /** For the most probable tokens. */
    public TeacherOptions(Engine engine, Device device, int gpu, Precision precision, int threads, Path scratch) {
        this(engine, device, gpu, precision, threads, scratch, TargetSpec.topK(1));
    }

    public TeacherOptions with(Precision other) {
        return new TeacherOptions(engine, device, gpu, other, threads, scratch, targets);
    }
}
