// SPDX-License-Identifier: Apache-2.0
package org.potstill.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtProvider;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.providers.OrtCUDAProviderOptions;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.checkpoints.io.NativeWork;

/**
 * ONNX Runtime in this process: its environment and its sessions.
 *
 * <p>It unpacks its native libraries into a temporary folder and asks Java to delete the folder and its files on exit, but in an
 * order that leaves the folder behind; this class deletes it.
 */
public final class OnnxRuntime {
    /** System property with the prefix of the file to which ONNX Runtime writes the time of each operator. */
    static final String PROFILE = "potstill.onnx-profile";

    private static final String FOLDER = "/onnxruntime-java";

    private static OrtEnvironment environment;

    private OnnxRuntime() {
    }

    /** Returns the environment of all sessions and tensors, which is made and configured by the first call. */
    public static synchronized OrtEnvironment environment() {
        if (environment == null) {
            // Its warnings tell of copies between devices, and once per node that indices must differ.
            NativeLibraries.load("ONNX Runtime",
                    () -> environment = OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "potstill"));
            folder().ifPresent(folder -> NativeWork.atEnd(() -> delete(folder.toFile())));
        }
        return environment;
    }

    /** Returns whether this is a CUDA build, whether or not there is a GPU. */
    public static boolean hasCuda() {
        environment();
        return OrtEnvironment.getAvailableProviders().contains(OrtProvider.CUDA);
    }

    /** Returns settings for a session; callers close them. */
    public static OrtSession.SessionOptions settings(int threads) throws OrtException {
        // Must come first: the CUDA provider fails to load unless ONNX Runtime's logger is set up.
        environment();
        OrtSession.SessionOptions settings = new OrtSession.SessionOptions();
        settings.setIntraOpNumThreads(threads);
        settings.setOptimizationLevel(OrtSession.SessionOptions.OptLevel.ALL_OPT);
        // Batches differ in shape, and a memory plan would be kept for each shape.
        settings.setMemoryPatternOptimization(false);
        // Spinning idle threads would take cores from the next task's training.
        settings.addConfigEntry("session.intra_op.allow_spinning", "0");
        String profile = System.getProperty(PROFILE);
        if (profile != null) {
            settings.enableProfiling(profile);
        }
        return settings;
    }

    /** Opens a session on the CPU. */
    public static OrtSession session(byte[] model, OrtSession.SessionOptions settings) throws OrtException {
        return NativeWork.call(() -> environment().createSession(model, settings));
    }

    /** Opens a session on a GPU. */
    public static OrtSession cudaSession(byte[] model, OrtSession.SessionOptions settings, int gpu) throws OrtException {
        // Not addCUDA(int), whose error "Failed to load shared library" does not name the library.
        try (OrtCUDAProviderOptions options = new OrtCUDAProviderOptions(gpu)) {
            // TF32 has a 10-bit mantissa, too short for FP32.
            options.add("use_tf32", "0");
            settings.addCUDA(options);
            return session(model, settings);
        }
    }

    /** Returns the folder that this process loaded the libraries from; empty if Linux does not tell. */
    private static Optional<Path> folder() {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.filter(line -> line.contains(FOLDER)).findFirst()
                    .map(line -> Path.of(line.substring(line.indexOf('/'), line.indexOf('/', line.indexOf(FOLDER) + 1))));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static void delete(File folder) {
        File[] files = folder.listFiles();
        for (File file : files == null ? new File[0] : files) {
            file.delete();
        }
        folder.delete();
    }
}
