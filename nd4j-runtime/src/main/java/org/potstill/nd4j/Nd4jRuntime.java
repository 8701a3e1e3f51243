// SPDX-License-Identifier: Apache-2.0
package org.potstill.nd4j;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.openblas.global.openblas_nolapack;
import org.nd4j.linalg.api.environment.Nd4jEnvironment;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.nativeblas.NativeOpsHolder;

/** ND4J as this project configures it. Call {@link #prepare} before loading any of ND4J's classes. */
public final class Nd4jRuntime {
    private static final String MAX_BYTES = "org.bytedeco.javacpp.maxbytes";
    private static final String MAX_PHYSICAL_BYTES = "org.bytedeco.javacpp.maxphysicalbytes";

    static {
        limitMemory();
        BlasKernels.choose();
        // Out of memory, Deeplearning4j would write a report to the working folder before it throws.
        System.setProperty("org.deeplearning4j.crash.reporting.enabled", "false");
        // OpenMP's threads spin while they wait. If other work wants the cores, ND4J's many small operations then wait
        // for threads without a core: a teacher's pass took four times as long.
        NativeEnvironment.set("OMP_WAIT_POLICY", "PASSIVE");
    }

    /**
     * Raises JavaCPP's memory limit. By default it stops a process whose memory, ND4J's arrays included, exceeds four
     * times the Java heap: a student with a small heap could then not take a step, however large the machine. The new
     * limit is the memory of the machine or container, less some for others.
     */
    private static void limitMemory() {
        if (System.getProperty(MAX_BYTES) == null && System.getProperty(MAX_PHYSICAL_BYTES) == null
                && ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system) {
            System.setProperty(MAX_BYTES, "0");
            System.setProperty(MAX_PHYSICAL_BYTES, String.valueOf(system.getTotalMemorySize() / 20 * 19));
        }
    }

    /**
     * A GPU.
     *
     * @param major of the compute capability
     * @param minor of the compute capability
     */
    public record Gpu(String name, int major, int minor) {
    }

    private Nd4jRuntime() {
    }

    /** Loads this class, whose initializer sets what OpenBLAS and OpenMP read when they are loaded. */
    public static void prepare() {
    }

    /**
     * Sets the number of threads for OpenBLAS and ND4J's operations, for the whole JVM; for the operations' OpenMP loops,
     * for the calling thread only.
     *
     * @param threads at least 1
     */
    public static void setThreads(int threads) {
        Nd4j.getEnvironment().setMaxThreads(threads);
        Nd4j.getEnvironment().setMaxMasterThreads(threads);
        setBlasThreads(threads);
        NativeOpsHolder.getInstance().getDeviceNativeOps().setOmpNumThreads(threads);
    }

    /** Sets the number of threads per matrix product; 1 for callers that distribute products over threads of their own. */
    public static void setBlasThreads(int threads) {
        openblas_nolapack.blas_set_num_threads(threads);
    }

    /** Returns whether the CPU has an instruction set, by Linux's flag name. */
    public static boolean processorHas(String instructions) {
        return BlasKernels.flags().contains(instructions);
    }

    /** Returns whether this build's ND4J computes on NVIDIA GPUs, and then only there. */
    public static boolean isCuda() {
        return !Nd4j.getEnvironment().isCPU();
    }

    /** Returns the GPUs visible to ND4J, in its order; empty on the CPU backend. */
    public static List<Gpu> gpus() {
        List<Gpu> gpus = new ArrayList<>();
        Object devices = Nd4j.getExecutioner().getEnvironmentInformation().get(Nd4jEnvironment.CUDA_DEVICE_INFORMATION_KEY);
        if (devices instanceof List<?> list) {
            for (Object device : list) {
                Map<?, ?> facts = (Map<?, ?>) device;
                gpus.add(new Gpu(String.valueOf(facts.get(Nd4jEnvironment.CUDA_DEVICE_NAME_KEY)),
                        ((Number) facts.get(Nd4jEnvironment.CUDA_DEVICE_MAJOR_VERSION_KEY)).intValue(),
                        ((Number) facts.get(Nd4jEnvironment.CUDA_DEVICE_MINOR_VERSION_KEY)).intValue()));
            }
        }
        return gpus;
    }
}
