package org.potstill.teacher;

import ai.onnxruntime.OrtEnvironment;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;
import org.potstill.checkpoints.NativeLibraries;
import org.potstill.checkpoints.NativeWork;

/**
 * ONNX Runtime's native libraries, which it unpacks into a temporary folder. It has Java delete the folder and its files at the
 * end, but in an order that leaves the folder.
 */
final class UnpackedRuntime {
    private static final String FOLDER = "/onnxruntime-java";

    private static boolean deletes;

    private UnpackedRuntime() {
    }

    static synchronized OrtEnvironment environment() {
        NativeLibraries.load("ONNX Runtime", OrtEnvironment::getEnvironment);
        if (!deletes) {
            folder().ifPresent(folder -> NativeWork.atEnd(() -> delete(folder.toFile())));
            deletes = true;
        }
        return OrtEnvironment.getEnvironment();
    }

    /** Where this process has it from; none where Linux does not say. */
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
