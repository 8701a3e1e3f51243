// SPDX-License-Identifier: Apache-2.0
package org.potstill.spark.settings;

import java.io.IOException;
import java.net.URI;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.FsConstants;
import org.apache.hadoop.fs.Path;
import org.potstill.spark.errors.JobErrors;
import org.potstill.spark.errors.PlatformErrors;
import org.potstill.spark.storage.FileSystems;

/** The paths that settings and options name, and the checks that are the same for all of them. */
public final class PathSettings {
    public static final String SCRATCH = "teacher.scratch";
    /** Settings that name what jobs write. */
    public static final List<String> WRITTEN = List.of("cache.path", "student.path", "prune.path", "export.path", "report.path", SCRATCH);
    /** Setting that names a corpus which {@code write} writes and other jobs read. */
    public static final String ANSWERS = "write.path";
    /** Settings that name what most jobs only read, besides further corpora and tasks. */
    private static final List<String> READ = List.of("corpus.path", "teacher.path", "student.init", "prune.model", ANSWERS);

    /** Pruning writes the model that initialises the student. */
    private static final List<String> MADE_AND_READ = List.of("prune.path", "student.init");
    private static final Pattern BLANK_END = Pattern.compile("[\\s\\h].*|.*[\\s\\h]", Pattern.DOTALL);
    private static final Pattern WINDOWS = Pattern.compile("[A-Za-z]:([\\\\/].*)?", Pattern.DOTALL);
    private static final Pattern SCHEME = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]+):.*", Pattern.DOTALL);
    private static final Pattern OF_SPARK = Pattern.compile("spark\\..*\\.dir");

    private PathSettings() {
    }

    /** Lists the settings that name what most jobs only read, with those of all teachers. */
    public static List<String> read(Settings settings) {
        return Stream.concat(READ.stream(), settings.teachers().stream().map(name -> TeacherSections.PREFIX + name + ".path").filter(settings::isGiven))
                .toList();
    }

    /** Returns the paths on Hadoop file systems, by setting. */
    private static SortedMap<String, String> hadoopPaths(Settings settings) {
        SortedMap<String, String> paths = new TreeMap<>();
        read(settings).forEach(key -> paths.put(key, settings.string(key)));
        WRITTEN.stream().filter(key -> !key.equals(SCRATCH)).forEach(key -> paths.put(key, settings.string(key)));
        for (String section : List.of("evaluate.corpora", "evaluate.tasks")) {
            settings.texts(section).forEach((name, path) -> paths.put(section + "." + name, path));
        }
        return paths;
    }

    /**
     * Rejects paths that are not what their writer meant, such as those that only a shell understands.
     *
     * @param options paths that options name, by option
     */
    public static void check(Settings settings, Map<String, String> options) {
        SortedMap<String, String> paths = hadoopPaths(settings);
        paths.putAll(options);
        String scratch = settings.string(SCRATCH);
        paths.put(SCRATCH, scratch);
        paths.forEach((name, path) -> misfit(path).ifPresent(why -> settings.reject(name, why)));
        settings.spark().forEach((key, folders) -> {
            if (OF_SPARK.matcher(key).matches()) {
                // spark.local.dir may be several.
                Stream.of(folders.split(",")).flatMap(folder -> misfit(folder).stream()).forEach(why -> settings.reject(key, why));
            }
        });
        if (misfit(scratch).isEmpty() && SCHEME.matcher(scratch).matches()) {
            settings.reject(SCRATCH, "it must be a folder on the local disk of each node, without a scheme");
        }
    }

    static Optional<String> misfit(String path) {
        Matcher scheme = SCHEME.matcher(path);
        if (BLANK_END.matcher(path).matches()) {
            return Optional.of("'" + path.replaceAll("\\R", "\\\\n") + "' begins or ends with a blank or line break: remove it; if a folder's name has it, "
                    + "write ./ before or / after the name");
        }
        if (path.equals("~") || path.startsWith("~/")) {
            return Optional.of("only shells expand ~: write the home folder, such as " + System.getProperty("user.home") + path.substring(1));
        }
        if (WINDOWS.matcher(path).matches()) {
            return Optional.of(path + " is a path of Windows: write the path that Linux has for it, such as /mnt/"
                    + path.substring(0, 1).toLowerCase(Locale.ROOT) + path.substring(2).replace('\\', '/'));
        }
        if (scheme.matches() && path.startsWith("/", scheme.end(1) + 1) && !scheme.group(1).equals(scheme.group(1).toLowerCase(Locale.ROOT))) {
            return Optional.of("schemes are in lower case: write " + scheme.group(1).toLowerCase(Locale.ROOT) + path.substring(scheme.end(1)));
        }
        return Optional.empty();
    }

    /**
     * Rejects paths that the command writes to and that another setting or option names as well.
     *
     * @param written names of settings and options
     * @param options paths that options name, by option
     */
    public static void checkApart(Settings settings, Collection<String> written, Map<String, String> options) {
        if (written.isEmpty()) {
            return;
        }
        SortedMap<String, String> paths = hadoopPaths(settings);
        paths.putAll(options);
        URI home = FileSystem.getDefaultUri(FileSystems.configuration(settings.spark()));
        SortedMap<String, Path> places = new TreeMap<>();
        paths.forEach((name, path) -> place(path, home).ifPresent(place -> places.put(name, place)));
        place(settings.string(SCRATCH), FsConstants.LOCAL_FS_URI).ifPresent(place -> places.put(SCRATCH, place));
        for (String name : written) {
            places.forEach((other, place) -> {
                boolean reported = other.equals(name) || written.contains(other) && other.compareTo(name) < 0;
                if (place.equals(places.get(name)) && !reported && !MADE_AND_READ.containsAll(List.of(name, other))) {
                    settings.reject(name, "it is the same path as " + other + ": each needs a path of its own");
                }
            });
        }
    }

    /** Returns one name for all spellings of a path; empty for what is not a path, which {@link #require} refuses. */
    private static Optional<Path> place(String path, URI home) {
        try {
            return path.isBlank() ? Optional.empty()
                    : Optional.of(FileSystems.canonical(new Path(path).makeQualified(home, new Path(System.getProperty("user.dir")))));
        } catch (IllegalArgumentException e) {
            return Optional.empty();
        }
    }

    /** Rejects what is not a path, and paths whose file system is missing. */
    public static void require(Settings settings, Configuration hadoop) {
        hadoopPaths(settings).forEach((name, path) -> {
            if (!path.isBlank()) {
                require(name, path, hadoop);
            }
        });
    }

    /**
     * Rejects what is not a path, and a path whose file system is missing.
     *
     * @param name the setting or option
     */
    public static Path require(String name, String path, Configuration hadoop) {
        Path parsed;
        try {
            parsed = new Path(path);
        } catch (IllegalArgumentException e) {
            throw JobErrors.badValue(name, "it is not a path: " + PlatformErrors.reason(e).replaceFirst("^java\\.net\\.URISyntaxException: ", ""));
        }
        if ("file".equals(parsed.toUri().getScheme()) && parsed.toUri().getAuthority() != null) {
            throw JobErrors.badValue(name, "a file: path names no host; write file://" + parsed.toUri().getPath());
        }
        FileSystems.require(name, parsed, hadoop);
        return parsed;
    }

    /** Fails if the file system of a setting's path cannot be reached, before something else that is in the same place fails. */
    public static void requireReachable(Settings settings, List<String> keys, Configuration hadoop) {
        for (String key : keys) {
            String path = settings.string(key);
            if (path.isBlank()) {
                // A corpus may be a table.
                continue;
            }
            try {
                new Path(path).getFileSystem(hadoop);
            } catch (IOException | IllegalArgumentException e) {
                throw JobErrors.unreachable(key, path, e);
            }
        }
    }
}
