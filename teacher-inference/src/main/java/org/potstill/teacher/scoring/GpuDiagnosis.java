// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.scoring;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The reason why a GPU cannot be used, read from ONNX Runtime's error message.
 *
 * <p>Its CUDA provider wraps the error texts of the dynamic loader, the CUDA runtime ({@code cudaError_t} 35, 100, 101
 * and 209), cuDNN and cuBLAS.
 *
 * @param cause  in words
 * @param remedy what the user can do
 */
public record GpuDiagnosis(String cause, String remedy) {
    private static final Pattern MISSING_LIBRARY = Pattern.compile("(lib[\\w.+-]+): cannot open shared object file");
    /** The part of a message that comes from CUDA, after ONNX Runtime's source lines and C++ signatures. */
    private static final Pattern ESSENCE = Pattern.compile("(Failed to load|(CUDA|CUDNN|CUBLAS) (failure|error)).*", Pattern.DOTALL);

    /**
     * Diagnoses an error.
     *
     * @param message of the exception
     * @param gpu     number of the GPU
     * @param driver  whether an NVIDIA driver seems to be installed, see {@link #driverInstalled}
     */
    static GpuDiagnosis of(String message, int gpu, boolean driver) {
        String text = String.valueOf(message);
        Matcher missing = MISSING_LIBRARY.matcher(text);
        if (isOutOfMemory(text)) {
            return diagnosis("GPU " + gpu + " has not enough free memory for the teacher", text,
                    "see with nvidia-smi what else runs on it, give fewer executors the same GPU, or take a GPU with more memory");
        }
        if (missing.find() && !missing.group(1).startsWith("libcuda.so")) {
            return diagnosis("the library " + missing.group(1) + " is not installed or not found", text,
                    "install the libraries of CUDA 12 (cudart, cuBLAS, cuRAND) and name their folders in LD_LIBRARY_PATH "
                            + "(spark.executorEnv.LD_LIBRARY_PATH)");
        }
        if (text.contains("no kernel image is available") || text.contains("NoKernelImageForDevice")) {
            return diagnosis("ONNX Runtime has no code for the compute capability of GPU " + gpu, text,
                    "take a GPU of compute capability 6.0 or later (nvidia-smi --query-gpu=compute_cap --format=csv shows it)");
        }
        if (text.contains("invalid device ordinal")) {
            return diagnosis("there is no GPU " + gpu + " among those that this process may see", text,
                    "check CUDA_VISIBLE_DEVICES, and that spark.executor.resource.gpu.discoveryScript prints numbers as CUDA counts");
        }
        // CUDA reports an old driver like a missing one, and a hidden GPU like a missing one.
        if (missing.reset().find()
                || !driver && (text.contains("driver version is insufficient") || text.contains("no CUDA-capable device"))) {
            return diagnosis("this machine has no NVIDIA driver, or this container does not see it", text,
                    "install the driver, or run where there is a GPU; a container needs NVIDIA's container runtime");
        }
        if (text.contains("driver version is insufficient")) {
            return diagnosis("the NVIDIA driver is older than CUDA 12 needs", text, "update the driver to version 525 or later");
        }
        if (text.contains("no CUDA-capable device")) {
            return diagnosis("the driver shows this process no GPU", text,
                    "check CUDA_VISIBLE_DEVICES, the access rights of /dev/nvidia*, and nvidia-smi");
        }
        if (text.contains("CUDNN_STATUS") || text.contains("CUBLAS_STATUS") || text.contains("undefined symbol")) {
            return diagnosis("the CUDA libraries do not fit ONNX Runtime or the driver", text,
                    "install CUDA 12 and leave no other version in LD_LIBRARY_PATH");
        }
        return diagnosis("ONNX Runtime could not start its CUDA provider", text,
                "check nvidia-smi, the driver and the libraries of CUDA 12");
    }

    /** Returns whether a pass failed for lack of memory, on the CPU or a GPU. */
    public static boolean isOutOfMemory(String message) {
        String text = String.valueOf(message);
        return text.contains("Failed to allocate memory") || text.contains("bad_alloc") || text.contains("out of memory")
                || text.contains("CUBLAS_STATUS_ALLOC_FAILED") || text.contains("CUDNN_STATUS_ALLOC_FAILED")
                || text.contains("Available memory of") && text.contains("is smaller than requested");
    }

    /** Returns whether the driver or its nvidia-smi is visible: containers may have only one of them. */
    static boolean driverInstalled() {
        String path = System.getenv("PATH");
        return Files.exists(Path.of("/proc/driver/nvidia/version")) || path != null && Arrays.stream(path.split(File.pathSeparator))
                .anyMatch(folder -> new File(folder, "nvidia-smi").canExecute());
    }

    private static GpuDiagnosis diagnosis(String cause, String message, String remedy) {
        Matcher essence = ESSENCE.matcher(message);
        return new GpuDiagnosis(cause + " (" + (essence.find() ? essence.group() : message).strip() + ")",
                remedy + "; or set the device to cpu");
    }
}
