package org.potstill.checkpoints;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.potstill.errors.UserException;

/** Why native libraries cannot be loaded. */
public final class NativeLibraries {
    private NativeLibraries() {
    }

    /**
     * Has those that are unpacked below the home folder, where a user has none, unpacked in a folder of this user's. Their own
     * choice is one for temporary files, under a name that anybody can take first.
     */
    public static void keepPrivate() {
        if (!Files.isWritable(Path.of(System.getProperty("user.home")))) {
            Path folder = PrivateFolder.temporary("potstill-natives");
            setUnlessGiven("DJL_CACHE_DIR", folder.toString());
            setUnlessGiven("org.bytedeco.javacpp.cachedir", folder.resolve("javacpp").toString());
        }
    }

    static void setUnlessGiven(String name, String value) {
        if (System.getenv(name) == null && System.getProperty(name) == null) {
            System.setProperty(name, value);
        }
    }

    /** Loads a library, or says in one sentence why it cannot be loaded: no error of the JVM's, of which an executor would die. */
    public static void load(String library, Runnable load) {
        try {
            NativeWork.run(load);
        } catch (LinkageError | IllegalStateException e) {
            throw failure(library, e);
        }
    }

    /** @param thrown by an attempt to load it, the first or a later one */
    public static UserException failure(String library, Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null && root.getCause() != root) {
            root = root.getCause();
        }
        Path folder = Path.of(System.getProperty("java.io.tmpdir"));
        return isNoexec(folder) ? CheckpointErrors.noexec(library, folder, thrown)
                : CheckpointErrors.nativeLibrary(library, String.valueOf(root.getMessage()), thrown);
    }

    /** Whether files in a folder cannot be executed, because its file system is mounted so. */
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
