// SPDX-License-Identifier: Apache-2.0
package org.potstill.teacher.onnx;

import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtLoggingLevel;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.checkpoints.io.NativeWork;

/**
 * Clean-up of the temporary folder into which ONNX Runtime unpacks its native libraries. It asks Java to delete the
 * folder and its files on exit, but in an order that leaves the folder behind.
 */
final class UnpackedRuntime {
    private static final String FOLDER = "/onnxruntime-java";

    private static OrtEnvironment environment;

    private UnpackedRuntime() {
    }

    static synchronized OrtEnvironment environment() {
        if (environment == null) {
            // Its warnings tell of copies between devices, and once per node that indices must differ.
            NativeLibraries.load("ONNX Runtime",
                    () -> environment = OrtEnvironment.getEnvironment(OrtLoggingLevel.ORT_LOGGING_LEVEL_ERROR, "potstill"));
            folder().ifPresent(folder -> NativeWork.atEnd(() -> delete(folder.toFile())));
        }
        return environment;
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
