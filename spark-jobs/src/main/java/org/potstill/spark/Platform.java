// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.util.VersionInfo;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.PathSettings;
import org.potstill.spark.settings.Settings;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Checks of Java, Spark and the machine before any work is done. */
public final class Platform {
    private static final Logger LOG = LoggerFactory.getLogger(Platform.class);
    private static final int JAVA = 17;
    /** The first without what Hadoop before 3.5 asks Java for: who the user is. */
    private static final int NO_SUBJECT = 24;
    private static final Set<Integer> TESTED = Set.of(JAVA, 25);
    private static final int PROBE_BYTES = 1 << 16;
    /** Of folders: links may go in circles. */
    private static final int MAX_DEPTH = 8;

    private Platform() {
    }

    /**
     * Checks Java, Spark and the temporary folder.
     *
     * @throws UserException if Potstill cannot run here
     */
    public static void require() {
        requireJava(Runtime.version().feature(), Platform::isUserKnown);
        requireSpark(org.apache.spark.package$.MODULE$.SPARK_VERSION(), scala.util.Properties$.MODULE$.versionNumberString());
        requireTemporaryFolder(Path.of(System.getProperty("java.io.tmpdir")));
    }

    static void requireJava(int version, BooleanSupplier isUserKnown) {
        if (version < JAVA) {
            throw PlatformErrors.otherJava(JAVA, version);
        }
        if (version >= NO_SUBJECT && !isUserKnown.getAsBoolean()) {
            throw PlatformErrors.javaTooNew(JAVA, version, VersionInfo.getVersion());
        }
        if (!TESTED.contains(version)) {
            LOG.warn("this is Java {}; Potstill is tested with Java {}", version, JAVA);
        }
    }

    /** Whether Hadoop can tell who the user is. */
    private static boolean isUserKnown() {
        try {
            UserGroupInformation.getCurrentUser();
            return true;
        } catch (UnsupportedOperationException | IOException e) {
            LOG.debug("Hadoop does not know the user", e);
            return false;
        }
    }

    static void requireSpark(String spark, String scala) {
        if (!Versions.sparks().contains(Versions.minor(spark)) || !Versions.minor(scala).equals(Versions.scala())) {
            throw PlatformErrors.otherSpark(Versions.sparks(), Versions.scala(), spark, scala);
        }
    }

    /** Checks that native libraries can be unpacked to and loaded from a folder. */
    static void requireTemporaryFolder(Path folder) {
        try {
            Path probe = Files.createTempFile(folder, "potstill-", ".probe");
            try {
                Files.write(probe, new byte[PROBE_BYTES]);
                if (NativeLibraries.isNoexec(folder)) {
                    throw PlatformErrors.noexec(folder);
                }
            } finally {
                Files.delete(probe);
            }
        } catch (IOException e) {
            throw PlatformErrors.noTemporaryFiles(folder, e);
        }
    }

    /** Rejects arguments in which Java's encoding has replaced characters, and which therefore name other texts or paths. */
    public static void requireReadable(List<String> arguments) {
        requireReadable(arguments, encoding());
    }

    static void requireReadable(List<String> arguments, Charset encoding) {
        for (String argument : arguments) {
            // A non-ASCII character has two or more bytes in UTF-8, each of which other encodings may have turned into a "?".
            if (argument.contains("\uFFFD") || !encoding.equals(StandardCharsets.UTF_8) && argument.contains("??")) {
                throw PlatformErrors.lostLetters(argument, encoding);
            }
        }
    }

    /** Rejects paths whose file system is missing, and corpora with file names that this process cannot decode. */
    static void requirePaths(Settings settings, Configuration hadoop) {
        PathSettings.require(settings, hadoop);
        requireVisible("corpus.path", settings.string("corpus.path"), hadoop);
        settings.texts("evaluate.corpora").forEach((name, path) -> requireVisible("evaluate.corpora." + name, path, hadoop));
    }

    private static void requireVisible(String setting, String path, Configuration hadoop) {
        if (path.isBlank()) {
            return;
        }
        org.apache.hadoop.fs.Path folder = new org.apache.hadoop.fs.Path(path);
        while (folder.getParent() != null && folder.toUri().getPath().matches(".*[*?{\\[].*")) {
            folder = folder.getParent();
        }
        try {
            if (folder.getFileSystem(hadoop) instanceof LocalFileSystem local) {
                // Under UTF-8 only stray names are in another encoding: looking at the top level is enough.
                requireVisible(setting, local.pathToFile(folder), encoding().equals(StandardCharsets.UTF_8) ? 1 : MAX_DEPTH);
            }
        } catch (IOException | IllegalArgumentException e) {
            throw JobErrors.unreachable(setting, path, e);
        }
    }

    /** Looks for names that the locale's encoding cannot represent: Java lists them with replaced characters, and finds no such file. */
    private static void requireVisible(String setting, File folder, int depth) {
        File[] files = folder.listFiles();
        for (File file : files == null ? new File[0] : files) {
            if (file.getName().matches(".*[?\uFFFD].*") && !file.exists()) {
                throw PlatformErrors.unreadableName(setting, file, encoding());
            }
            if (depth > 1 && file.isDirectory()) {
                requireVisible(setting, file, depth - 1);
            }
        }
    }

    /** The encoding of file names and arguments. */
    private static Charset encoding() {
        return Charset.forName(System.getProperty("sun.jnu.encoding", "UTF-8"));
    }
}
