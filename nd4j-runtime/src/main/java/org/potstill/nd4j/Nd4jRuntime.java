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

/** ND4J as this project sets it up. Whoever uses ND4J calls {@link #prepare} before anything of it is loaded. */
public final class Nd4jRuntime {
    private static final String MAX_BYTES = "org.bytedeco.javacpp.maxbytes";
    private static final String MAX_PHYSICAL_BYTES = "org.bytedeco.javacpp.maxphysicalbytes";

    static {
        limitMemory();
        BlasKernels.choose();
        // OpenMP's threads spin while they wait. Where others want the cores, ND4J's many small operations then wait
        // for threads that have none: a teacher's pass was measured to take four times as long.
        NativeEnvironment.set("OMP_WAIT_POLICY", "PASSIVE");
    }

    /**
     * JavaCPP would end a process whose memory, ND4J's arrays and all, is four times the Java heap: a student with little on the heap
     * could not step, however large the machine. What holds is the machine's or container's memory, some of it left for others.
     */
    private static void limitMemory() {
        if (System.getProperty(MAX_BYTES) == null && System.getProperty(MAX_PHYSICAL_BYTES) == null
                && ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system) {
            System.setProperty(MAX_BYTES, "0");
            System.setProperty(MAX_PHYSICAL_BYTES, String.valueOf(system.getTotalMemorySize() / 20 * 19));
        }
    }

    /** @param major and minor: compute capability */
    public record Gpu(String name, int major, int minor) {
    }

    private Nd4jRuntime() {
    }

    /** Loads this class, which sets what OpenBLAS and OpenMP read when they are loaded. */
    public static void prepare() {
    }

    /**
     * How many threads OpenBLAS and ND4J's operations may use, for all of this JVM; the operations' loops (OpenMP) for
     * the calling thread only.
     *
     * @param threads at least 1
     */
    public static void setThreads(int threads) {
        Nd4j.getEnvironment().setMaxThreads(threads);
        Nd4j.getEnvironment().setMaxMasterThreads(threads);
        setBlasThreads(threads);
        NativeOpsHolder.getInstance().getDeviceNativeOps().setOmpNumThreads(threads);
    }

    /** How many threads one matrix product may use; 1 for callers that share out products among threads of their own. */
    public static void setBlasThreads(int threads) {
        openblas_nolapack.blas_set_num_threads(threads);
    }

    /** Whether the processor says that it has some instructions, by Linux's name for them. */
    public static boolean processorHas(String instructions) {
        return BlasKernels.flags().contains(instructions);
    }

    /** Whether this build's ND4J computes on NVIDIA GPUs, and then on nothing else. */
    public static boolean isCuda() {
        return !Nd4j.getEnvironment().isCPU();
    }

    /** The GPUs that ND4J sees, in its order; none on the CPU backend. */
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
