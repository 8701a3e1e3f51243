// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark;

import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.LocalFileSystem;
import org.potstill.checkpoints.io.NativeLibraries;
import org.potstill.errors.UserException;
import org.potstill.spark.errors.CorpusErrors;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.errors.Versions;
import org.potstill.spark.settings.Settings;
import org.potstill.spark.storage.FileSystems;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Checks of Java, Spark and the machine before any work is done. */
public final class Platform {
    private static final Logger LOG = LoggerFactory.getLogger(Platform.class);
    private static final int JAVA = 17;
    /** The first without what Hadoop 3 asks Java for: who the user is. */
    private static final int NO_JAVA = 24;
    private static final int PROBE_BYTES = 1 << 16;
    /** Of folders: links may go in circles. */
    private static final int MAX_DEPTH = 8;
    private static final List<String> PATHS = List.of("corpus.path", "teacher.path", "cache.path", "student.path", "student.init", "write.path", "prune.path",
            "prune.model", "export.path", "report.path");

    private static final Pattern WINDOWS = Pattern.compile("[A-Za-z]:([\\\\/].*)?", Pattern.DOTALL);
    private static final Pattern SCHEME = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:.*", Pattern.DOTALL);

    private Platform() {
    }

    /**
     * Checks Java, Spark and the temporary folder.
     *
     * @throws UserException if Potstill cannot run here
     */
    public static void require() {
        requireJava(Runtime.version().feature());
        requireSpark(org.apache.spark.package$.MODULE$.SPARK_VERSION(), scala.util.Properties$.MODULE$.versionNumberString());
        requireTemporaryFolder(Path.of(System.getProperty("java.io.tmpdir")));
    }

    static void requireJava(int version) {
        if (version < JAVA || version >= NO_JAVA) {
            throw PlatformErrors.otherJava(JAVA, version);
        }
        if (version > JAVA) {
            LOG.warn("this is Java {}; Potstill is tested with Java {}", version, JAVA);
        }
    }

    static void requireSpark(String spark, String scala) {
        String builtFor = minor(Versions.spark());
        if (!minor(spark).equals(builtFor) || !minor(scala).equals(Versions.scala())) {
            throw PlatformErrors.otherSpark(builtFor, Versions.scala(), spark, scala);
        }
    }

    /** Shortens a version to major and minor: 3.5.1-amzn-0 to 3.5. */
    private static String minor(String version) {
        return version.replaceFirst("^(\\d+\\.\\d+).*$", "$1");
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

    /** Rejects what a shell or Windows takes for a path, but no file system here. */
    public static void checkPaths(Settings settings) {
        paths(settings).forEach((key, path) -> misfit(path).ifPresent(why -> settings.reject(key, why)));
        String scratch = settings.string("teacher.scratch");
        misfit(scratch).or(() -> SCHEME.matcher(scratch).matches() ? Optional.of("it must be a folder on the local disk of each node, without a scheme")
                : Optional.empty()).ifPresent(why -> settings.reject("teacher.scratch", why));
    }

    private static Optional<String> misfit(String path) {
        if (path.equals("~") || path.startsWith("~/")) {
            return Optional.of("only shells expand ~: write the home folder, such as " + System.getProperty("user.home") + path.substring(1));
        }
        if (WINDOWS.matcher(path).matches()) {
            return Optional.of(path + " is a path of Windows: write the path that Linux has for it, such as /mnt/"
                    + path.substring(0, 1).toLowerCase(Locale.ROOT) + path.substring(2).replace('\\', '/'));
        }
        return Optional.empty();
    }

    private static SortedMap<String, String> paths(Settings settings) {
        SortedMap<String, String> paths = new TreeMap<>();
        PATHS.forEach(key -> paths.put(key, settings.string(key)));
        for (String section : List.of("evaluate.corpora", "evaluate.tasks")) {
            settings.texts(section).forEach((name, path) -> paths.put(section + "." + name, path));
        }
        return paths;
    }

    /** Rejects paths whose file system is missing, and corpora with file names that this process cannot decode. */
    static void requirePaths(Settings settings, Configuration hadoop) {
        for (Map.Entry<String, String> path : paths(settings).entrySet()) {
            if (path.getValue().isBlank()) {
                continue;
            }
            org.apache.hadoop.fs.Path parsed;
            try {
                parsed = new org.apache.hadoop.fs.Path(path.getValue());
            } catch (IllegalArgumentException e) {
                throw JobErrors.badValue(path.getKey(), "it is not a path: " + PlatformErrors.reason(e).replaceFirst("^java\\.net\\.URISyntaxException: ", ""));
            }
            if ("file".equals(parsed.toUri().getScheme()) && parsed.toUri().getAuthority() != null) {
                throw JobErrors.badValue(path.getKey(), "a file: path names no host; write file://" + parsed.toUri().getPath());
            }
            FileSystems.require(path.getKey(), parsed, hadoop);
            boolean listed = path.getKey().equals("corpus.path") || path.getKey().startsWith("evaluate.corpora.");
            if (listed) {
                requireVisible(path.getKey(), parsed, hadoop);
            }
        }
    }

    private static void requireVisible(String setting, org.apache.hadoop.fs.Path path, Configuration hadoop) {
        org.apache.hadoop.fs.Path folder = path;
        while (folder.getParent() != null && folder.toUri().getPath().matches(".*[*?{\\[].*")) {
            folder = folder.getParent();
        }
        try {
            if (folder.getFileSystem(hadoop) instanceof LocalFileSystem local) {
                // Under UTF-8 only stray names are in another encoding: looking at the top level is enough.
                requireVisible(setting, local.pathToFile(folder), encoding().equals(StandardCharsets.UTF_8) ? 1 : MAX_DEPTH);
            }
        } catch (IOException e) {
            throw CorpusErrors.missingCorpus(path.toString(), e);
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
