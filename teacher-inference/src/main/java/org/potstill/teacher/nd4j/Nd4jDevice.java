// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.nd4j;

import java.util.List;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.nd4j.Nd4jRuntime;
import org.potstill.nd4j.Nd4jRuntime.Gpu;
import org.potstill.teacher.scoring.TeacherErrors;
import org.potstill.teacher.scoring.TeacherOptions;

/**
 * The device that ND4J runs on: its CPU backend supports no GPU, its CUDA backend nothing else. nd4j-cuda-11.6 has
 * machine code for compute capabilities 3.7 to 8.6, the last of which also runs on 8.9, and no PTX that a later GPU could
 * compile.
 */
public final class Nd4jDevice {
    private Nd4jDevice() {
    }

    private static void prepare() {
        NativeLibraries.keepPrivate();
        Nd4jRuntime.prepare();
    }

    public static boolean hasCuda() {
        prepare();
        return Nd4jRuntime.isCuda();
    }

    /** Checks that this build's ND4J can run on the wanted device, and returns the device in use. */
    public static TeacherOptions.Device require(TeacherOptions.Device wanted) {
        boolean cuda;
        List<Gpu> gpus;
        try {
            prepare();
            cuda = Nd4jRuntime.isCuda();
            gpus = Nd4jRuntime.gpus();
        } catch (RuntimeException | LinkageError e) {
            throw TeacherErrors.noGpuForNd4j(String.valueOf(e.getMessage()), e);
        }
        return require(wanted, cuda, gpus);
    }

    public static TeacherOptions.Device require(TeacherOptions.Device wanted, boolean cuda, List<Gpu> gpus) {
        if (!cuda) {
            if (wanted == TeacherOptions.Device.CUDA) {
                throw TeacherErrors.noNd4jCudaBuild();
            }
            return TeacherOptions.Device.CPU;
        }
        if (wanted == TeacherOptions.Device.CPU) {
            throw TeacherErrors.nd4jNeedsCuda();
        }
        if (gpus.isEmpty()) {
            throw TeacherErrors.noGpuForNd4j("it sees no GPU", null);
        }
        // ND4J uses its first GPU; an executor sees only its own.
        Gpu gpu = gpus.get(0);
        int capability = 10 * gpu.major() + gpu.minor();
        if (capability < 37 || capability > 89) {
            throw TeacherErrors.gpuBeyondNd4j(gpu.name(), gpu.major(), gpu.minor());
        }
        return TeacherOptions.Device.CUDA;
    }
}
