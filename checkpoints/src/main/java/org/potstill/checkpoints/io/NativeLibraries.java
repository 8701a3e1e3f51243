// SPDX-License-Identifier: Apache-2.0
package org.potstill.checkpoints.io;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.potstill.errors.UserException;

/** Loading of native libraries, with diagnosis of failures. */
public final class NativeLibraries {
    /** A property of ONNX Runtime: the folder that has its libraries, which it would otherwise unpack. */
    private static final String ONNX_RUNTIME_PATH = "onnxruntime.native.path";

    private NativeLibraries() {
    }

    /**
     * Makes libraries unpack to a private folder if the home folder is not writable. By default they would then use the
     * temporary folder, under a name that anyone can take first.
     */
    public static void keepPrivate() {
        if (!Files.isWritable(Path.of(System.getProperty("user.home")))) {
            Path folder = PrivateFolder.temporary("potstill-natives");
            setUnlessGiven("DJL_CACHE_DIR", folder.toString());
            setUnlessGiven("org.bytedeco.javacpp.cachedir", folder.resolve("javacpp").toString());
        }
    }

    public static void setUnlessGiven(String name, String value) {
        if (System.getenv(name) == null && System.getProperty(name) == null) {
            System.setProperty(name, value);
        }
    }

    /** Loads a library; a failure is a user's error in one sentence, not a JVM error, which would kill an executor. */
    public static void load(String library, Runnable load) {
        try {
            NativeWork.run(load);
        } catch (LinkageError | IllegalStateException e) {
            throw failure(library, e);
        }
    }

    /**
     * Explains why a library cannot be loaded.
     *
     * @param thrown by the first or a later attempt to load it
     */
    public static UserException failure(String library, Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        String named = System.getProperty(ONNX_RUNTIME_PATH);
        if (named != null && library.replace(" ", "").toLowerCase(Locale.ROOT).contains("onnxruntime")) {
            return CheckpointErrors.nativeLibraryAt(library, ONNX_RUNTIME_PATH, named, String.valueOf(root.getMessage()), thrown);
        }
        Path folder = Path.of(System.getProperty("java.io.tmpdir"));
        return isNoexec(folder) ? CheckpointErrors.noexec(library, folder, thrown)
                : CheckpointErrors.nativeLibrary(library, String.valueOf(root.getMessage()), thrown);
    }

    /** Returns whether files in a folder cannot be executed, because its file system is mounted noexec. */
    public static boolean isNoexec(Path folder) {
        try {
            Path probe = Files.createTempFile(folder, "potstill-", ".probe");
            try {
                return probe.toFile().setExecutable(true) && !Files.isExecutable(probe);
            } finally {
                Files.delete(probe);
            }
        } catch (IOException e) {
            return false;
        }
    }
}
