package org.potstill.teacher;

import java.nio.file.Path;
import java.util.Objects;

/**
 * How the teacher runs on this machine.
 *
 * @param engine  what computes: ONNX Runtime or ND4J
 * @param device  AUTO is CUDA where it works and the CPU elsewhere; CUDA never falls back
 * @param threads CPU threads for one forward pass, at least 1; match the cores that this process may use
 * @param scratch folder on a local disk for the dequantised weights, 4 bytes a parameter, kept between runs
 */
public record TeacherOptions(Engine engine, Device device, int threads, Path scratch) {
    public enum Engine { ONNX, ND4J }

    public enum Device { AUTO, CPU, CUDA }

    public TeacherOptions {
        Objects.requireNonNull(engine);
        Objects.requireNonNull(device);
        Objects.requireNonNull(scratch);
        if (threads < 1) {
            throw TeacherErrors.badThreads(threads);
        }
    }

    /** On ONNX Runtime. */
    public TeacherOptions(Device device, int threads, Path scratch) {
        this(Engine.ONNX, device, threads, scratch);
    }
}
