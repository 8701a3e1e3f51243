package org.potstill.teacher;

import java.nio.file.Path;
import java.util.Objects;

/**
 * How the teacher runs on this machine.
 *
 * @param device  AUTO is CUDA where it works and the CPU elsewhere; CUDA never falls back
 * @param gpu     number of the GPU as CUDA counts those that this process may see, from 0; of no account on the CPU
 * @param threads CPU threads for one forward pass, at least 1; match the cores that this process may use
 * @param scratch folder on a local disk for the dequantised weights, 4 bytes a parameter, kept between runs
 */
public record TeacherOptions(Device device, int gpu, int threads, Path scratch) {
    public enum Device { AUTO, CPU, CUDA }

    public TeacherOptions {
        Objects.requireNonNull(device);
        Objects.requireNonNull(scratch);
        if (threads < 1) {
            throw TeacherErrors.badThreads(threads);
        }
        if (gpu < 0) {
            throw TeacherErrors.badGpu(gpu);
        }
    }

    /** On the first GPU, where it is on one. */
    public TeacherOptions(Device device, int threads, Path scratch) {
        this(device, 0, threads, scratch);
    }
}
